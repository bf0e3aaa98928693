/**
 * What every failure of an AWS call means to Bucket: the service does not answer now, try again later.
 * Never "not found": the few answers that do mean something are picked out before, in dynamodb-errors.ts and s3-errors.ts.
 */
import { BucketError } from '../domain/errors.ts'

/** Seconds that a caller should wait. */
const RETRY_AFTER = { throttled: 5, refused: 30, other: 1 } as const

/** https://docs.aws.amazon.com/general/latest/gr/api-retries.html and the services' own lists of errors. */
const THROTTLING = new Set([
  'BandwidthLimitExceeded',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
  'TransactionInProgressException',
])

/** Refusals that blame a passing circumstance, not the call: bytes that changed on the way, a simultaneous writer. */
const PASSING = new Set([
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'OperationAborted',
  'RequestTimeout',
  'XAmzContentSHA256Mismatch',
])

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/**
 * Translates what an SDK call threw.
 *
 * @param doing what was tried, for the operator and the caller: `the ledger could not be read`.
 * @param signal the signal that the call was given: when it was aborted, its reason is what happened.
 * @returns what to throw: `unavailable`, or the error itself when it is no failure of the service.
 */
export function serviceFailure(error: unknown, doing: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason
  if (error instanceof BucketError || isDefect(error)) return error
  const [why, retryAfter] = diagnose(error)
  return BucketError.unavailable(`${doing}: ${why}`, error, retryAfter)
}

/** A fault of our own code, which no retry heals. An answer that the SDK could not read has metadata, and is none. */
const isDefect = (error: unknown): boolean =>
  !(error instanceof Error) ||
  ((error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) &&
    !('$metadata' in error) &&
    !('code' in error))

function diagnose(error: unknown): readonly [why: string, retryAfter: number] {
  const { name, $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode
  if (THROTTLING.has(name) || status === 429) return ['the service throttles', RETRY_AFTER.throttled]
  // S3 says SlowDown with 503 and sometimes nothing but the 503.
  if (status === 503) return ['the service asks to slow down', RETRY_AFTER.throttled]
  if (name === 'TimeoutError' || name === 'AbortError')
    return ['the service took too long to answer', RETRY_AFTER.other]
  // A role, policy, name or key that an operator must put right: 403, 404 and their like.
  if (!PASSING.has(name) && status !== undefined && status >= 400 && status < 500)
    return ['the service refused the call', RETRY_AFTER.refused]
  return ['the service failed', RETRY_AFTER.other]
}
