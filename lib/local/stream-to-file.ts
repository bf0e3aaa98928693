/**
 * Writes a stream to a file, in bounded memory; the bytes are durable when this resolves. The stream decides whether they may
 * stay: it ends normally only if they are right, and the caller cleans up after a stream that throws.
 */
import { BATCH_BYTES, batches } from './batches.ts'
import { closeFile, syncFile, writeAll } from './disk.ts'

/**
 * A large file is synced while it is still arriving, so that the last sync does not wait for all of it. Writing goes on meanwhile, but no
 * further than to the next sync, so that the system holds a bounded part of the file.
 */
const WRITE_BACK_BATCHES = (32 * 1024 * 1024) / BATCH_BYTES

/**
 * @param open returns the descriptor, which is closed here. It is called when the first bytes have arrived, so that a refused
 * small body never touches the disk.
 * @param position of the bytes in the file; undefined for a new file.
 * @throws BucketError `insufficient_storage`, `unavailable`; the reason of `signal`; the errors of `bytes` and `open`.
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
    let syncing: Promise<void> = Promise.resolve()
    try {
      for (let count = 1; !batch.done; count++) {
        const pieces = batch.value
        const writeBack = count % WRITE_BACK_BATCHES === 0
        work = writeAll(fd, pieces, at).then(async () => {
          if (!writeBack) return
          await syncing
          syncing = syncFile(fd)
          syncing.catch(() => undefined) // it is awaited before the next sync
        })
        work.catch(() => undefined) // it is awaited below, after the next batch arrived
        if (at !== undefined) at += pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
        batch = await stream.next()
        await work
      }
      await syncing
      await syncFile(fd)
    } finally {
      // No call may use a descriptor after it was closed.
      await work.catch(() => undefined)
      await syncing.catch(() => undefined)
      await closeFile(fd)
    }
  } catch (error) {
    await stream.return()
    throw error
  }
}
