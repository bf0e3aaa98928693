/**
 * What each side may do, action by action: exactly the calls that lib/aws makes for the routes of that side.
 * Nothing here deletes or updates: a ledger row can only be put, under the condition of its one writer (invariant I3).
 */
import type { Access } from '#protocol/routes'

interface Permissions {
  /** On the ledger table. */
  readonly ledger: readonly string[]
  /** On the blobs, `blobs/*`. */
  readonly blobs: readonly string[]
  /** On the S3 bucket itself. */
  readonly bucket: readonly string[]
  /** On the customer-managed key, where there is one. */
  readonly key: readonly string[]
}

export const PERMISSIONS: { readonly [A in Access]: Permissions } = {
  read: {
    ledger: ['dynamodb:GetItem', 'dynamodb:Query'],
    // Never called by the function: it signs URLs that carry this right.
    blobs: ['s3:GetObject'],
    bucket: [],
    key: ['kms:Decrypt', 'kms:DescribeKey'],
  },
  write: {
    ledger: ['dynamodb:GetItem', 'dynamodb:PutItem'],
    // A stream that breaks is an upload to abort: its parts would be paid for until the lifecycle rule finds them.
    blobs: ['s3:PutObject', 's3:GetObject', 's3:AbortMultipartUpload'],
    // Without it S3 answers 403 for a blob that is missing, which looks like a broken policy.
    bucket: ['s3:ListBucket'],
    key: [
      'kms:Decrypt',
      'kms:DescribeKey',
      'kms:Encrypt',
      'kms:GenerateDataKey',
      'kms:GenerateDataKeyWithoutPlaintext',
      'kms:ReEncryptFrom',
      'kms:ReEncryptTo',
    ],
  },
}
