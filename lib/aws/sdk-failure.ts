/**
 * What a failed AWS call means to Bucket: the service is unavailable now, and the caller may retry later. Never "not found": the
 * few errors that do have a meaning are recognized before, in dynamodb-errors.ts and s3-errors.ts.
 */
import { isThrottlingError, isTransientError } from '@smithy/core/retry'
import { BucketError } from '../domain/errors.ts'

/** Seconds that a caller should wait. */
const RETRY_AFTER = { throttled: 5, refused: 30, other: 1 } as const

/** Refusals with a passing cause that the SDK does not list: bytes damaged on the way, a simultaneous writer. */
const PASSING = new Set([
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'OperationAborted',
  'XAmzContentSHA256Mismatch',
])

type SdkError = Parameters<typeof isThrottlingError>[0]

/**
 * Translates what an SDK call threw.
 *
 * @param action what failed, for the operator and the caller: `the ledger could not be read`.
 * @param signal the signal that the call was given: if it was aborted, its reason is what happened.
 * @returns the error to throw: `unavailable`, or the error itself if it is a defect of our own code.
 */
export function serviceFailure(error: unknown, action: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason
  if (error instanceof BucketError || isDefect(error)) return error
  const [why, retryAfter] = diagnose(error)
  return BucketError.unavailable(`${action}: ${why}`, error, retryAfter)
}

/** For `catch` of an SDK call: throws its `serviceFailure`. */
export const failed =
  (action: string, signal?: AbortSignal) =>
  (error: unknown): never => {
    throw serviceFailure(error, action, signal)
  }

/** A defect of our own code, which no retry cures. A response that the SDK could not parse has metadata and is not one. */
const isDefect = (error: unknown): boolean =>
  !(error instanceof Error) ||
  ((error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) &&
    !('$metadata' in error) &&
    !('code' in error))

function diagnose(error: unknown): readonly [why: string, retryAfter: number] {
  const failure = error as SdkError
  const status = failure.$metadata?.httpStatusCode
  // S3 says SlowDown with 503, sometimes with no code.
  if (isThrottlingError(failure) || status === 503)
    return ['the service throttles requests', RETRY_AFTER.throttled]
  if (failure.name === 'TimeoutError' || failure.name === 'AbortError')
    return ['the service took too long to answer', RETRY_AFTER.other]
  // 403, 404 and their like: an operator must correct a role, a policy, a name or a key.
  if (status !== undefined && status >= 400 && status < 500 && !isPassing(failure))
    return ['the service refused the call', RETRY_AFTER.refused]
  return ['the service failed', RETRY_AFTER.other]
}

/** Whether the same call can succeed later although nothing is set up differently. A time-out is such a failure. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const failure = error as SdkError
  const isLate = failure.name === 'AbortError' || failure.name === 'TimeoutError'
  return isLate || PASSING.has(failure.name) || isThrottlingError(failure) || isTransientError(failure)
}
