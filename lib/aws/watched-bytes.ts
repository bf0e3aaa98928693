/**
 * Bytes on their way to S3 or from it, watched for two things that the SDK does not tell: why a stream failed (the SDK may
 * report what that did to its parts instead), and that the request was given up while the other side stalls, for which
 * nobody should wait.
 */

export interface WatchedBytes extends AsyncIterable<Uint8Array> {
  /** Set once the source failed, or the signal ended it. */
  readonly failure: { readonly error: unknown } | undefined
}

export function watchedBytes(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): WatchedBytes {
  const source = bytes[Symbol.asyncIterator]()
  let failure: WatchedBytes['failure']

  async function next(): Promise<IteratorResult<Uint8Array>> {
    try {
      return await beforeAbort(() => source.next(), signal)
    } catch (error) {
      failure = { error }
      throw error
    }
  }

  /** Tells the source that nobody reads on, without waiting: it may be the one that hangs. */
  async function stop(): Promise<IteratorResult<Uint8Array>> {
    source.return?.().catch(() => {})
    return { done: true, value: undefined }
  }

  return {
    [Symbol.asyncIterator]: () => ({ next, return: stop }),
    get failure() {
      return failure
    },
  }
}

/**
 * Does one step, or stops waiting for it when the signal comes first. A listener for each step: a race against one promise of the
 * abort would keep every step in memory.
 *
 * @throws the reason of the signal; what the step throws.
 */
export const beforeAbort = <T>(step: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    step()
      .then(resolve, reject)
      .finally(() => signal?.removeEventListener('abort', abort))
  })
