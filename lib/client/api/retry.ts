/**
 * Whether, and after how long, a failed attempt is made again: a pure function of data, so that its table can be tested.
 * Every request of the API is safe to repeat (docs/http-api.md, section 8), so only the kind of failure decides.
 */
import { BucketError } from '../../domain/errors.ts'
import { sleep } from './deadline.ts'
import { NetworkError } from './network-error.ts'

export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number
  /** The first delay, in milliseconds; it doubles with every further failure. */
  readonly baseMs: number
  readonly maxDelayMs: number
  /** A `Retry-After` beyond this is not waited for: the failure is reported instead. Milliseconds. */
  readonly maxRetryAfterMs: number
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 5,
  baseMs: 250,
  maxDelayMs: 8_000,
  maxRetryAfterMs: 60_000,
}

/**
 * @param failures how many attempts have failed so far, at least 1.
 * @param random a number from 0 to 1: spreads delays over the upper half of their range, so that clients do not return in step.
 * @returns milliseconds to wait before the next attempt, or nothing when there is to be none.
 */
export function retryDelay(
  policy: RetryPolicy,
  failures: number,
  error: unknown,
  random: number,
): number | undefined {
  if (!isRetryable(error) || failures >= policy.attempts) return undefined
  const jittered = backoffDelay(policy, failures, random)
  const retryAfter = error instanceof BucketError ? error.retryAfter : undefined
  if (retryAfter === undefined) return jittered
  const asked = retryAfter * 1000
  return asked > policy.maxRetryAfterMs ? undefined : Math.max(asked + policy.baseMs * random, jittered)
}

/** The same without a look at what failed: milliseconds, doubling, in the upper half of their range. */
export const backoffDelay = (policy: RetryPolicy, failures: number, random: number): number =>
  Math.min(policy.maxDelayMs, policy.baseMs * 2 ** (failures - 1)) * (0.5 + random / 2)

/** Whether a failure may pass by itself: a BucketError or NetworkError says so of itself, anything else never does. */
export const isRetryable = (error: unknown): boolean =>
  (error instanceof BucketError || error instanceof NetworkError) && error.retryable

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
