/**
 * A stream that can be given up while it waits: a sender that hangs holds nobody who has a signal.
 * One listener for the whole stream, so that a long one leaves nothing behind for each chunk.
 */

/** @throws the reason of `signal` as soon as it is aborted, else whatever `source` throws. */
export async function* abortable<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  if (!signal) {
    yield* source
    return
  }
  signal.throwIfAborted()
  const iterator = source[Symbol.asyncIterator]()
  let giveUp: (reason: unknown) => void = () => undefined
  const onAbort = () => {
    giveUp(signal.reason)
    // Nobody waits for it: a source that hangs in `next` answers `return` only after that, and its last words help nobody.
    iterator.return?.().then(undefined, () => undefined)
  }
  signal.addEventListener('abort', onAbort)
  let ended = false
  try {
    for (;;) {
      ended = true // by its end or its failure, unless it gives another value
      const result = await new Promise<IteratorResult<T>>((resolve, reject) => {
        giveUp = reject
        iterator.next().then(resolve, reject)
      })
      if (result.done) return
      ended = false
      yield result.value
      signal.throwIfAborted()
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (!ended && !signal.aborted) await iterator.return?.()
  }
}
