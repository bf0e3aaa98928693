/**
 * The keys of the DynamoDB tables, and what the keys of S3 objects begin with, once: the CDK constructs create the first and let the
 * roles reach no more than the second, `lib/aws` reads and writes them. All are strings.
 */

/** One row for each artifact version: `pk` is `bucket_id/artifact_id`, `sk` the version. */
export const LEDGER_KEY = { partition: 'pk', sort: 'sk' } as const

/** One row for each upload that is under way: `pk` is `bucket_id/artifact_id/version`, `sk` the digest. */
export const UPLOADS_KEY = { partition: 'pk', sort: 'sk' } as const
/** When DynamoDB may delete a row of the uploads, in seconds since the epoch. */
export const UPLOADS_TTL = 'ttl'

/** Every blob's key begins with this, in the S3 bucket of the blobs. */
export const BLOB_PREFIX = 'blobs/'
/** Every staged object's key begins with this, in the S3 bucket for parts. */
export const STAGING_PREFIX = 'uploads/'
