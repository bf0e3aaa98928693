/** Bounded concurrency: many items, a few at a time. */
import { anySignal } from './abort.ts'

/**
 * Works through `items`, as many at once as the limit allows at that moment.
 *
 * @throws the error of the first failure, after all other work has been stopped and has ended.
 */
export async function runAtOnce<T>(
  items: Iterable<T>,
  concurrency: { readonly limit: number },
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const stopped = signal ? anySignal(signal, stop.signal) : stop.signal
  const running = new Set<Promise<void>>()
  const waiting = items[Symbol.iterator]()
  let next = waiting.next()
  try {
    for (;;) {
      for (; !next.done && running.size < concurrency.limit; next = waiting.next()) {
        const task: Promise<void> = work(next.value, stopped).finally(() => running.delete(task))
        running.add(task)
      }
      if (running.size === 0) return
      await Promise.race(running)
    }
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(running)
    throw error
  }
}
