/**
 * The only definition of the DynamoDB keys and the S3 key prefixes. The CDK constructs create the tables and restrict the roles to the
 * prefixes; `lib/aws` reads and writes both. All are strings.
 */

/** One row for each artifact version: `pk` is `bucket_id/artifact_id`, `sk` the version. */
export const LEDGER_KEY = { partition: 'pk', sort: 'sk' } as const

/** One row for each unfinished upload: `pk` is `bucket_id/artifact_id/version`, `sk` the digest. */
export const UPLOADS_KEY = { partition: 'pk', sort: 'sk' } as const
/** When DynamoDB may delete an upload's row, in seconds since the epoch. */
export const UPLOADS_TTL = 'ttl'

/** Every blob's key begins with this, in the S3 bucket of the blobs. */
export const BLOB_PREFIX = 'blobs/'
/** Every staged object's key begins with this, in the S3 bucket for parts. */
export const STAGING_PREFIX = 'uploads/'
