/** The only retry loop. The caller decides which failures are retried, how often and when. */
import { sleep } from './abort.ts'

/**
 * Repeats `attempt` until it resolves or `delayAfter` returns undefined.
 *
 * @param delayAfter milliseconds before the next attempt after this many failures (from 1); undefined to give up.
 * @throws the error of the last attempt; the reason of the signal.
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  delayAfter: (error: unknown, failures: number) => number | undefined,
  signal?: AbortSignal,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    signal?.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      const delay = delayAfter(error, failures)
      if (delay === undefined) throw error
      await sleep(delay, signal)
    }
  }
}

/**
 * A delay that doubles with every failure, chosen at random up to that bound, so that callers do not return in step.
 *
 * @param baseMs the bound after the first failure, in milliseconds.
 */
export const fullJitter = (baseMs: number, failures: number): number =>
  Math.random() * baseMs * 2 ** (failures - 1)
