/**
 * Groups a stream of chunks of any size into batches large enough for a write call, in bounded memory. A batch has at most about a hundred
 * chunks. With many streams at once, such as stalled senders, batches are smaller.
 */
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { Allowance } from '../flow/allowance.ts'
import { Pieces } from '../flow/pieces.ts'

/** A batch is complete at this many bytes. */
export const BATCH_BYTES = 512 * 1024

/** The batches of all streams of this process. */
const MEMORY = new Allowance({ total: 32 * 1024 * 1024, most: BATCH_BYTES, least: 64 * 1024 })

/**
 * @param signal ends the wait for the next chunk.
 * @throws errors of the source; the reason of the signal. Both close the source.
 */
export async function* batches(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  const batch = new Pieces()
  /** Bytes of the batch that the reader still works with. */
  let lent = 0
  let held = 0
  try {
    for await (const chunk of abortableIterable(source, signal)) {
      batch.add(chunk)
      held += chunk.byteLength
      MEMORY.take(chunk.byteLength)
      if (batch.size < MEMORY.share) continue
      const size = batch.size
      yield batch.take()
      // A reader that asks for the next batch has written the one before the last.
      MEMORY.give(lent)
      held -= lent
      lent = size
    }
    if (batch.size > 0) yield batch.take()
  } finally {
    MEMORY.give(held)
  }
}
