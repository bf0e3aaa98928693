/**
 * Whether a data folder has the folder of its blobs. One that is missing, or is empty although the ledger names files in it, was removed or is
 * not mounted. Blobs that were stored into an empty one would disappear as soon as the right one is back in its place.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../flow/error-code.ts'
import { FolderDamaged, isEmptyLedger, LAYOUT } from './folder-format.ts'
import { type FolderLog, openFolderLog } from './folder-log.ts'

/** @throws FolderDamaged when the folder has lost the folder of its blobs. */
export async function assertHasBlobs(dataDir: string): Promise<void> {
  if ((await readdir(dataDir)).includes(LAYOUT.ledger) && (await isMissingOrEmpty(dataDir))) {
    const lost = await lostBlobs(await openFolderLog(dataDir))
    if (lost) throw lost
  }
}

/** @returns what is lost; undefined when the folder has the folder of its blobs. */
export async function lostBlobs(log: FolderLog): Promise<FolderDamaged | undefined> {
  const state = await isMissingOrEmpty(log.root)
  if (state === undefined) return undefined
  const isNew = state === 'missing' ? await isEmptyLedger(log.root) : !(await namesFiles(log))
  if (isNew) return undefined
  return new FolderDamaged(
    `the folder ${join(log.root, LAYOUT.blobs)} is ${state}: it holds the bytes of every artifact above 16 KiB`,
    'Put it back or mount it, or restore the folder from a backup. `bucket fsck` lists the artifacts that it would hold. If they are lost, `bucket fsck --discard-damage` makes it new: the other artifacts can be used then, and a store of the same bytes restores each of these.',
  )
}

/** A server writes the known end of the ledger into the folder when it opens it first. */
async function isMissingOrEmpty(dataDir: string): Promise<'missing' | 'empty' | undefined> {
  try {
    const found = await readdir(join(dataDir, LAYOUT.blobs), { withFileTypes: true })
    const isOwn = found.some((entry) => entry.isDirectory() || LAYOUT.knownEnd.endsWith(`/${entry.name}`))
    return isOwn ? undefined : 'empty'
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'missing'
    throw error
  }
}

/** Whether the bytes of any entry are in a file. It reads the log up to the first one. */
async function namesFiles(log: FolderLog): Promise<boolean> {
  const found = new Error('found')
  const reading = log.read({
    record(_, { kind }) {
      if (kind === 'file') throw found
    },
    damage: () => undefined,
  })
  return reading.then(
    () => false,
    (error: unknown) => {
      if (error === found) return true
      throw error
    },
  )
}
