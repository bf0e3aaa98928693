/**
 * Moves blobs with wrong bytes out of the way, so that a store of the right bytes restores them. Nothing is deleted: the remains may be
 * all that is left. Only for the owner of the folder, while no server runs on it.
 */
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { renameFile, syncFolder } from './disk.ts'
import { durableFolders } from './durable-folders.ts'
import { LAYOUT } from './folder-format.ts'

/**
 * Moves a file below `blobs/` to the same place below `quarantine/`, durably. Earlier remains of the same name stay.
 *
 * @param dataDir the data folder.
 * @param path relative to it.
 * @returns the new path, relative to the data folder.
 */
export async function moveToQuarantine(dataDir: string, path: string): Promise<string> {
  const target = join(dataDir, LAYOUT.quarantine, relative(LAYOUT.blobs, path))
  await durableFolders(dataDir).ensure(dirname(target))
  let free = target
  for (let count = 2; existsSync(free); count++) free = `${target}~${count}`
  await renameFile(join(dataDir, path), free)
  await syncFolder(dirname(free))
  await syncFolder(dirname(join(dataDir, path)))
  return relative(dataDir, free)
}
