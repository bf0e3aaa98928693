/**
 * A stream on its way into a file, in bounded memory, durable when this resolves. Whether the bytes may stay is the stream's to say:
 * it ends normally only when they are right, and whoever calls cleans up after one that throws.
 */
import { BATCH_BYTES, batches } from './batches.ts'
import { closeFile, syncFile, writeAll } from './disk.ts'

/** A large file is written back to disk while it still arrives, so that the sync at its end does not wait for all of it. */
const WRITE_BACK_BATCHES = (32 * 1024 * 1024) / BATCH_BYTES

/**
 * @param open gives the descriptor, which is closed here; called when the first bytes have arrived, so that a small body that is
 * refused has never touched the disk.
 * @param position where in the file the bytes belong; undefined for a new file.
 * @throws BucketError `insufficient_storage`, `unavailable`; the reason of `signal`; whatever `bytes` and `open` throw.
 */
export async function streamToFile(
  open: () => Promise<number>,
  position: number | undefined,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stream = batches(bytes, signal)
  try {
    let batch = await stream.next()
    const fd = await open()
    let at = position
    let work: Promise<void> = Promise.resolve()
    try {
      for (let count = 1; !batch.done; count++) {
        const pieces = batch.value
        const writeBack = count % WRITE_BACK_BATCHES === 0
        work = writeAll(fd, pieces, at).then(() => (writeBack ? syncFile(fd) : undefined))
        work.catch(() => undefined) // it is awaited below, after the next batch arrived
        if (at !== undefined) at += pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
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
    throw error
  }
}
