/**
 * Whether, and after how long, a failed attempt is repeated. Every request of the API is safe to repeat
 * (docs/http-api.md, section 8), so only the kind of failure decides. The delays are pure functions of data.
 */

import { BucketError } from '../../domain/errors.ts'
import { sleep } from '../../flow/abort.ts'
import { retry } from '../../flow/retry.ts'
import type { OnEvent } from './events.ts'
import { NetworkError } from './network-error.ts'

export interface RetryPolicy {
  /** Attempts in all, including the first, while no byte has been transferred. */
  readonly attempts: number
  /** The first delay, in milliseconds; it doubles with every further failure. */
  readonly baseMs: number
  readonly maxDelayMs: number
  /** A longer `Retry-After` is not waited for: the failure is reported instead. Milliseconds. */
  readonly maxRetryAfterMs: number
  /** Milliseconds without progress that a transfer survives once bytes have arrived, for any number of attempts. */
  readonly patienceMs: number
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 5,
  baseMs: 250,
  maxDelayMs: 8_000,
  maxRetryAfterMs: 60_000,
  patienceMs: 600_000,
}

/** The policy of retries, and their observer. */
export interface Retrier {
  readonly retry: RetryPolicy
  readonly onEvent: OnEvent
}

/**
 * @param failures how many attempts have failed so far, at least 1.
 * @param random a number from 0 to 1: spreads delays over the upper half of their range, so that clients do not return in step.
 * @returns milliseconds to wait before the next attempt, or undefined if it must not be repeated.
 */
export function retryDelay(
  policy: RetryPolicy,
  failures: number,
  error: unknown,
  random: number,
): number | undefined {
  if (!isRetryable(error) || failures >= policy.attempts) return undefined
  return delayAfter(policy, failures, error, random)
}

/**
 * The same for a transfer in which bytes have arrived: it ends after `patienceMs` without progress, not after a number of
 * attempts.
 *
 * @param failures how many attempts have failed since the last progress, at least 1.
 * @param idleMs milliseconds since the last progress.
 */
function transferRetryDelay(
  policy: RetryPolicy,
  failures: number,
  idleMs: number,
  error: unknown,
  random: number,
): number | undefined {
  if (!isRetryable(error) || idleMs >= policy.patienceMs) return undefined
  return delayAfter(policy, failures, error, random)
}

/** Whether a byte of a transfer has moved. Its concurrent requests share this. */
export interface TransferState {
  hasMoved: boolean
}

/**
 * The patience of one transfer. Until a byte has moved, the number of attempts decides; from then on, the time without progress.
 */
export class TransferPatience {
  readonly #policy: RetryPolicy
  readonly #transfer: TransferState
  #failures = 0
  #progressedAt = performance.now()

  constructor(policy: RetryPolicy, transfer: TransferState = { hasMoved: false }) {
    this.#policy = policy
    this.#transfer = transfer
  }

  /** How many attempts have failed since the last progress. */
  get failures(): number {
    return this.#failures
  }

  /** Further bytes moved: failures and time are counted from here. */
  progressed(): void {
    this.#transfer.hasMoved = true
    this.#failures = 0
    this.#progressedAt = performance.now()
  }

  /** An attempt failed. @returns milliseconds before the next attempt, or undefined to stop. */
  delayAfter(error: unknown): number | undefined {
    this.#failures += 1
    const random = Math.random()
    if (!this.#transfer.hasMoved) return retryDelay(this.#policy, this.#failures, error, random)
    const idleMs = performance.now() - this.#progressedAt
    return transferRetryDelay(this.#policy, this.#failures, idleMs, error, random)
  }
}

function delayAfter(
  policy: RetryPolicy,
  failures: number,
  error: unknown,
  random: number,
): number | undefined {
  const jittered = backoffDelay(policy, failures, random)
  const retryAfter = error instanceof BucketError ? error.retryAfter : undefined
  if (retryAfter === undefined) return jittered
  const retryAfterMs = retryAfter * 1000
  if (retryAfterMs > policy.maxRetryAfterMs) return undefined
  return Math.max(retryAfterMs + policy.baseMs * random, jittered)
}

/** The delay without regard to the failure: milliseconds, doubling, in the upper half of their range. */
export const backoffDelay = (policy: RetryPolicy, failures: number, random: number): number => {
  // The factor stays finite, because zero times Infinity is NaN.
  const doubled = policy.baseMs * 2 ** Math.min(failures - 1, 1023)
  return Math.min(policy.maxDelayMs, doubled) * (0.5 + random / 2)
}

/** Whether a retry may help: BucketError and NetworkError say so; other errors are final. */
export const isRetryable = (error: unknown): boolean =>
  (error instanceof BucketError || error instanceof NetworkError) && error.retryable

/** Reports the retry, and waits before the next attempt. @throws the reason of `signal`. */
export async function pause(
  { onEvent }: Retrier,
  attempt: number,
  delayMs: number,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<void> {
  // A stop breaks off requests, which are not repeated.
  signal?.throwIfAborted()
  onEvent({ kind: 'retry', attempt, delayMs, error })
  await sleep(delayMs, signal)
}

/**
 * @param patience of the transfer that the request belongs to; left out, a number of attempts decides.
 * @throws the error of the last attempt, or the reason of `signal`.
 */
export async function retrying<T>(
  retrier: Retrier,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
  patience = new TransferPatience(retrier.retry),
): Promise<T> {
  const delayAfter = (error: unknown, failures: number) => {
    signal?.throwIfAborted()
    const delayMs = patience.delayAfter(error)
    if (delayMs !== undefined) retrier.onEvent({ kind: 'retry', attempt: failures + 1, delayMs, error })
    return delayMs
  }
  return retry(attempt, delayAfter, signal)
}
