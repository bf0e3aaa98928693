/** A stream on its way to S3 that remembers its own error: the SDK may report what that error did to its parts instead. */
import { abortableIterable } from '../flow/abortable-iterable.ts'

export interface WatchedBytes extends AsyncIterable<Uint8Array> {
  /** Set once the source failed, or the signal ended it. */
  readonly failure: { readonly error: unknown } | undefined
}

export function watchedBytes(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): WatchedBytes {
  const stream = abortableIterable(bytes, signal)
  let failure: WatchedBytes['failure']
  const remember = (error: unknown): never => {
    failure = { error }
    throw error
  }
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => stream.next().catch(remember),
      return: async () => ({ ...(await stream.return?.()), done: true, value: undefined }),
    }),
    get failure() {
      return failure
    },
  }
}
