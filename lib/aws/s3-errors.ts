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
 * S3 looked at the parts and refused to join them: one is missing, replaced, out of order or too small. It says so with a 400,
 * or inside of a 200, which the SDK turns into an error of the same name.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
export const isRefusedJoin = (error: unknown): boolean =>
  error instanceof S3ServiceException && REFUSED_JOINS.has(error.name)

const REFUSED_JOINS = new Set([
  'InvalidPart',
  'InvalidPartOrder',
  'EntityTooSmall',
  'EntityTooLarge',
  'BadDigest',
])

/** HEAD has no body to name its error: the SDK calls it `NotFound`. */
export const isMissing = (error: unknown): boolean =>
  error instanceof S3ServiceException && error.name === 'NotFound' && hasStatus(error, 404)

const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof S3ServiceException && error.$metadata.httpStatusCode === status

/** Throws what a failed call means; `doing` says what did not happen: `the blob could not be written`. */
export const failed =
  (doing: string, signal?: AbortSignal) =>
  (error: unknown): never => {
    throw serviceFailure(error, doing, signal)
  }
