/**
 * Bytes on their way to a final name: a file in the folder for temporaries, complete and durable when this resolves.
 * When the stream throws, or the disk does, the file is gone again, and the error is the caller's.
 */
import { createFile, removeTemporary } from './disk.ts'
import { streamToFile } from './stream-to-file.ts'

/**
 * Writes `bytes` to a new file and makes it durable.
 * | @param bytes ends normally only if the file may keep them.
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
