/**
 * A download as a file: into a temporary beside the target, synced, and renamed only after the digest matched.
 * Whatever fails, the target is as it was before and the temporary is gone.
 */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DownloadTarget } from './download-target.ts'

/** Until a file has the permissions of the one that it replaces, nobody else reads it. */
const OWNER_ONLY = 0o600

/**
 * @param fill writes the file, and resolves only when its bytes are known to be the right ones.
 * @throws what `fill` throws; the system's error, about the target, when the file cannot be written.
 */
export async function downloadFile(
  { path, file, mode }: DownloadTarget,
  fill: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const folder = dirname(file)
  // Nothing of the target's name is in it: that may have all the bytes that a name can have.
  const temporary = join(folder, `.${randomUUID()}.bucket-part`)
  try {
    const handle = await open(temporary, 'wx+', mode === undefined ? undefined : OWNER_ONLY)
    try {
      if (mode !== undefined) await handle.chmod(mode)
      await fill(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw isAbout(temporary, error) ? aboutTarget(error, path) : error
  }
  await syncFolder(folder)
}

/** Whether the system says it of the temporary: by its name, or by none, as it does of an open file. */
const isAbout = (temporary: string, error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error &&
  'syscall' in error &&
  'code' in error &&
  (!('path' in error) || error.path === temporary)

/** The same error in the words of the caller, who never heard of a temporary: `CODE: what, call 'path'`. */
function aboutTarget(error: NodeJS.ErrnoException, path: string): Error {
  const [what] = error.message.split(" '")
  return Object.assign(new Error(`${what} '${path}'`, { cause: error }), { code: error.code, path })
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
