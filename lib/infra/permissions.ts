/**
 * What each side may do, action by action: exactly the calls that lib/aws makes for it.
 * Nothing here deletes or updates what is stored: a ledger row can only be put, under the condition of its one writer, and no blob
 * can be deleted (invariant I3). What is deleted are uploads: their rows, and what they staged.
 */
import type { LambdaSide } from '../deployment/environment.ts'

/** What an action is allowed on. */
export type Resource =
  | 'ledger'
  | 'uploads'
  /** The blobs, `blobs/*`, and the S3 bucket that holds them. */
  | 'blobs'
  | 'blobBucket'
  /** What uploads have staged, `uploads/*`, and the S3 bucket that holds it. */
  | 'staging'
  | 'stagingBucket'
  /** The queue of verifications, and the one of those that kept failing. */
  | 'queue'
  | 'deadLetters'
  /** The customer-managed key, where there is one. */
  | 'key'

/** `UploadPart`, `UploadPartCopy` and the begin and end of a multipart upload are all `s3:PutObject`. */
const STAGE = [
  's3:PutObject',
  's3:GetObject',
  's3:ListMultipartUploadParts',
  's3:AbortMultipartUpload',
  's3:DeleteObject',
]
/** A stream or a promotion that breaks is an upload to abort: its parts would be paid for until the lifecycle rule finds them. */
const STORE = ['s3:PutObject', 's3:GetObject', 's3:AbortMultipartUpload']
/** Without it S3 answers 403 for an object that is missing, which looks like a broken policy. */
const TELL_MISSING = ['s3:ListBucket']
const CONSUME = [
  'sqs:ReceiveMessage',
  'sqs:DeleteMessage',
  'sqs:GetQueueAttributes',
  'sqs:ChangeMessageVisibility',
]
const ENCRYPT = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
]

/** The actions of each side's role, by what they are allowed on. `test/infra/roles.test.ts` holds them to the calls of `lib/aws`. */
export const PERMISSIONS: {
  readonly [S in LambdaSide]: { readonly [R in Resource]?: readonly string[] }
} = {
  read: {
    ledger: ['dynamodb:GetItem', 'dynamodb:Query'],
    uploads: ['dynamodb:GetItem'],
    // The function signs URLs that carry this right; of uploads it asks whether the blob is there.
    blobs: ['s3:GetObject'],
    staging: ['s3:ListMultipartUploadParts'],
    key: ['kms:Decrypt', 'kms:DescribeKey'],
  },
  write: {
    ledger: ['dynamodb:GetItem', 'dynamodb:PutItem'],
    uploads: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'],
    blobs: STORE,
    blobBucket: TELL_MISSING,
    staging: STAGE,
    stagingBucket: TELL_MISSING,
    queue: ['sqs:SendMessage'],
    key: ENCRYPT,
  },
  verify: {
    ledger: ['dynamodb:GetItem', 'dynamodb:PutItem'],
    uploads: ['dynamodb:GetItem', 'dynamodb:PutItem'],
    blobs: STORE,
    blobBucket: TELL_MISSING,
    staging: STAGE,
    stagingBucket: TELL_MISSING,
    queue: CONSUME,
    deadLetters: CONSUME,
    key: ENCRYPT,
  },
}
