/**
 * Bytes on their way to a final name: a file in the folder for temporaries, complete and durable when this resolves.
 * When the stream throws, or the disk does, the file is gone again, and the error is the caller's.
 */
import { BATCH_BYTES, batches } from './batches.ts'
import { append, closeFile, createFile, removeTemporary, syncFile } from './disk.ts'

/** A large file is written back to disk while it still arrives, so that the sync at its end does not wait for all of it. */
const WRITE_BACK_BATCHES = (32 * 1024 * 1024) / BATCH_BYTES

/**
 * Writes `bytes` to a new file and makes it durable.
 *
 * @param bytes ends normally only when the file may keep them.
 * @throws BucketError `insufficient_storage`, `unavailable`; the reason of `signal`; whatever `bytes` throws.
 */
export async function writeTemporary(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stream = batches(bytes, signal)
  // A small body that is refused has then never touched the disk.
  let batch = await stream.next()
  const fd = await createFile(path).catch(async (error: unknown) => {
    await stream.return()
    throw error
  })
  let work: Promise<void> = Promise.resolve()
  try {
    try {
      for (let count = 1; !batch.done; count++) {
        const pieces = batch.value
        const writeBack = count % WRITE_BACK_BATCHES === 0
        work = append(fd, pieces).then(() => (writeBack ? syncFile(fd) : undefined))
        work.catch(() => undefined) // it is awaited below, after the next batch arrived
        batch = await stream.next()
        await work
      }
      await syncFile(fd)
    } finally {
      await work.catch(() => undefined) // no write may hit a descriptor that was given away
      await closeFile(fd)
    }
  } catch (error) {
    await stream.return()
    await removeTemporary(path)
    throw error
  }
}
