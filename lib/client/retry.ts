/** Repeats what is worth repeating; the table of delays is retry-timing.ts. */
import { sleep } from './deadline.ts'
import { type RetryPolicy, retryDelay } from './retry-timing.ts'

/** @throws what the last attempt threw, or the reason of `signal`. */
export async function retrying<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    signal?.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      const delay = retryDelay(policy, failures, error, Math.random())
      if (delay === undefined) throw error
      await sleep(delay, signal)
    }
  }
}
