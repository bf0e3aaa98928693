/** A stream whose reader stops waiting when a signal aborts, even while the source hangs. */

/**
 * The same values as `source`, until the signal aborts. It can be read once.
 * One listener serves the whole stream, and an abort between two reads closes the source too.
 *
 * @throws (into the reader) the reason of the signal as soon as it aborts; errors of the source.
 */
export function abortableIterable<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  const END = { done: true, value: undefined } as const
  let state: 'fresh' | 'open' | 'over' = 'fresh'
  /** Rejects the read that is waiting. */
  let interrupt: ((reason: unknown) => void) | undefined

  const end = () => {
    state = 'over'
    signal?.removeEventListener('abort', abort)
  }
  /** Closes the source without waiting: a source that hangs in `next` answers `return` only after that. */
  const close = () => void iterator.return?.().catch(() => undefined)
  const abort = () => {
    interrupt?.(signal?.reason)
    close()
  }
  const read = () =>
    new Promise<IteratorResult<T>>((resolve, reject) => {
      interrupt = reject
      iterator.next().then(resolve, reject)
    })

  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      if (state === 'over') return END
      try {
        signal?.throwIfAborted()
        if (state === 'fresh') signal?.addEventListener('abort', abort)
        state = 'open'
        const result = await read()
        if (!result.done) return result
        end()
        return END
      } catch (error) {
        end()
        if (signal?.aborted) close()
        throw error
      } finally {
        interrupt = undefined
      }
    },
    async return() {
      if (state !== 'over') {
        end()
        if (interrupt || signal?.aborted) close()
        else await iterator.return?.()
      }
      return END
    },
  }
}
