/**
 * The errors of S3 that have a meaning, such as a taken key, a simultaneous writer and a missing object. Every other one is
 * `unavailable` (sdk-failure.ts). A 403 is never "missing": a role without `s3:ListBucket` gets it for both.
 *
 * The checks are made on the SDK's base class, so that the read function can use them without an S3 client.
 */
import { ServiceException } from '@smithy/core/client'

/** `If-None-Match: *` found an object under this key. */
export const isNameTaken = (error: unknown): boolean => hasStatus(error, 412)

/**
 * Another create-only write of this key is in progress, and neither has won yet.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export const isSimultaneous = (error: unknown): boolean => hasStatus(error, 409)

/** The multipart upload no longer exists: an earlier attempt, whose response was lost, may have completed it. */
export const isUploadGone = (error: unknown): boolean =>
  error instanceof ServiceException && error.name === 'NoSuchUpload'

/**
 * S3 refused to complete an upload because of its parts: one is missing, replaced, out of order or too small.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
export const isRefusedComplete = (error: unknown): boolean =>
  error instanceof ServiceException && Object.hasOwn(REFUSED_COMPLETES, error.name)

const REFUSED_COMPLETES = {
  InvalidPart: 400,
  InvalidPartOrder: 400,
  EntityTooSmall: 400,
  EntityTooLarge: 400,
  BadDigest: 400,
} as const

/** The refusals that can stand inside a 200 response, and the status that each has otherwise. */
const REFUSALS: Readonly<Record<string, number>> = {
  ...REFUSED_COMPLETES,
  PreconditionFailed: 412,
  ConditionalRequestConflict: 409,
  NoSuchUpload: 404,
}

/**
 * Completing and copying take long, so S3 may send a 200 first and the refusal in its body. The SDK turns any such error into a
 * 503 and retries it. With its own status, a refusal is final.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html — "can still fail after … 200 OK"
 */
export function restoreErrorStatus(error: unknown): unknown {
  if (error instanceof ServiceException) {
    const status = REFUSALS[error.name]
    if (status !== undefined) error.$metadata.httpStatusCode = status
  }
  return error
}

/** GET says `NoSuchKey`. A response to HEAD has no body to name its error: the SDK calls it `NotFound`. */
export const isMissing = (error: unknown): boolean =>
  error instanceof ServiceException &&
  (error.name === 'NoSuchKey' || error.name === 'NotFound') &&
  hasStatus(error, 404)

export const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof ServiceException && error.$metadata.httpStatusCode === status
