/**
 * The one place that reads what S3 threw: a taken name, a simultaneous writer and a missing object mean something,
 * everything else is `unavailable`. A 403 is never "missing": it is what a role without `s3:ListBucket` gets.
 */
import { S3ServiceException } from '@aws-sdk/client-s3'
import { serviceFailure } from './sdk-failure.ts'

/** `If-None-Match: *` met an object under this key. */
export const isNameTaken = (error: unknown): boolean => hasStatus(error, 412)

/**
 * Another create-only write of this key is under way: neither has won yet.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export const isSimultaneous = (error: unknown): boolean => hasStatus(error, 409)

/** Completing an upload that is no more: an earlier try, whose answer was lost, may have completed it. */
export const isUploadGone = (error: unknown): boolean =>
  error instanceof S3ServiceException && error.name === 'NoSuchUpload'

/**
 * S3 looked at the parts and refused to join them: one is missing, replaced, out of order or too small.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
export const isRefusedJoin = (error: unknown): boolean =>
  error instanceof S3ServiceException && Object.hasOwn(REFUSED_JOINS, error.name)

const REFUSED_JOINS = {
  InvalidPart: 400,
  InvalidPartOrder: 400,
  EntityTooSmall: 400,
  EntityTooLarge: 400,
  BadDigest: 400,
} as const

/** Refusals with which a long call of S3 can end, and the status that each has where S3 does not begin with a 200. */
const REFUSALS: Readonly<Record<string, number>> = {
  ...REFUSED_JOINS,
  PreconditionFailed: 412,
  ConditionalRequestConflict: 409,
  NoSuchUpload: 404,
}

/**
 * Joining and copying take their time: S3 may begin with a 200 and refuse inside of it. The SDK makes of any error in there a 503,
 * which it would try again and again. With its own status a refusal is the last word, as it is everywhere else.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html — "can still fail after … 200 OK"
 */
export function withItsOwnStatus(error: unknown): unknown {
  if (error instanceof S3ServiceException) {
    const status = REFUSALS[error.name]
    if (status !== undefined) error.$metadata.httpStatusCode = status
  }
  return error
}

/** GET says `NoSuchKey`. HEAD has no body to name its error: the SDK calls it `NotFound`. */
export const isMissing = (error: unknown): boolean =>
  error instanceof S3ServiceException &&
  (error.name === 'NoSuchKey' || error.name === 'NotFound') &&
  hasStatus(error, 404)

const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof S3ServiceException && error.$metadata.httpStatusCode === status

/** Throws what a failed call means; `doing` says what did not happen: `the blob could not be written`. */
export const failed =
  (doing: string, signal?: AbortSignal) =>
  (error: unknown): never => {
    throw serviceFailure(error, doing, signal)
  }
