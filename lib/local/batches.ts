/**
 * Groups a stream of chunks of any size into batches large enough for a write call, in bounded memory. A batch has at most about a hundred
 * chunks.
 */
import { abortableIterable } from '../flow/abortable-iterable.ts'

/** A batch is complete at this many bytes. */
export const BATCH_BYTES = 512 * 1024
/** Chunks below this are copied together: thousands of tiny buffers would cost more memory than they hold. */
const SMALL_BYTES = 8 * 1024
const BLOCK_BYTES = 64 * 1024

/**
 * @param signal ends the wait for the next chunk.
 * @throws what the source throws, or the reason of the signal; the source is told to stop in both cases.
 */
export async function* batches(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Uint8Array[], void, undefined> {
  let pieces: Uint8Array[] = []
  let bytes = 0
  let block = new Uint8Array(0)
  let used = 0
  /** Ends the current block first, to keep the order of the bytes. */
  const seal = () => {
    if (used > 0) pieces.push(block.subarray(0, used))
    block = block.subarray(used)
    used = 0
  }
  for await (const chunk of abortableIterable(source, signal)) {
    const size = chunk.byteLength
    if (size === 0) continue
    if (size >= SMALL_BYTES || bytes === 0) {
      seal()
      pieces.push(chunk)
    } else {
      if (used + size > block.byteLength) {
        seal()
        block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
      }
      block.set(chunk, used)
      used += size
    }
    bytes += size
    if (bytes < BATCH_BYTES) continue
    seal()
    yield pieces
    pieces = []
    bytes = 0
  }
  seal()
  if (pieces.length > 0) yield pieces
}
