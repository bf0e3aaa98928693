/**
 * A temporary file for bytes that will get a final name: complete and durable when this resolves. If the stream or the disk fails, the file
 * is removed and the error is rethrown.
 */
import { createFile, removeTemporary } from './disk.ts'
import { streamToFile } from './stream-to-file.ts'

/**
 * Writes `bytes` to a new file and makes it durable.
 *
 * @param bytes ends normally only if the file may keep them.
 * @throws BucketError `insufficient_storage`, `unavailable`; the reason of `signal`; the errors of `bytes`.
 */
export async function writeTemporary(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let created = false
  const create = async () => {
    const fd = await createFile(path)
    created = true
    return fd
  }
  try {
    await streamToFile(create, undefined, bytes, signal)
  } catch (error) {
    if (created) await removeTemporary(path)
    throw error
  }
}
