/**
 * A download as a file: into a temporary beside the target, synced, and renamed only after the digest matched.
 * Whatever fails, the target is as it was before and the temporary is gone.
 */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * @param fill writes the file, and resolves only when its bytes are known to be the right ones.
 * @throws what `fill` throws; the system's error when the file cannot be written.
 */
export async function downloadFile(path: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const folder = dirname(path)
  // Nothing of the target's name is in it: that may have all the bytes that a name can have.
  const temporary = join(folder, `.${randomUUID()}.bucket-part`)
  try {
    const handle = await open(temporary, 'wx+')
    try {
      await fill(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Makes the new name durable. Windows cannot open a folder, and needs it not. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
