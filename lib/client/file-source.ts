/** A path as a source: a file is read where it is, anything else that gives bytes is spooled. */
import { open } from 'node:fs/promises'
import { handleSource, hasBytes } from './handle-source.ts'
import type { OnProgress } from './progress.ts'
import type { Source } from './source.ts'
import { spool } from './spool.ts'

/**
 * Opens a file; what is no regular file (a pipe, a device) is spooled, and so is a file whose size says that it is empty
 * where it is not: the bytes of `/proc` are made when they are read.
 *
 * @throws the system's error when it cannot be opened, also for a folder.
 */
export async function fileSource(
  path: string,
  onProgress: OnProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const handle = await open(path, 'r')
  try {
    const stat = await handle.stat()
    if (stat.isFile() && (stat.size > 0 || !(await hasBytes(handle, 0))))
      return await handleSource(handle, path, () => handle.close())
    // Reading a folder gives the system's own EISDIR.
    return await spool(handle.createReadStream(), onProgress, signal)
  } catch (error) {
    await handle.close()
    throw error
  }
}
