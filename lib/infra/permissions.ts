/**
 * The actions that each side's role allows: exactly the calls that lib/aws makes for it.
 * No role can delete or update stored artifacts: ledger rows are only put, under a condition, and blobs are never deleted
 * (invariant I3). Roles delete only uploads: their rows and their staged objects.
 */
import type { LambdaSide } from '../deployment/environment.ts'

/** The resource of an action. */
export type Resource =
  | 'ledger'
  | 'uploads'
  /** The objects `blobs/*`, and their S3 bucket. */
  | 'blobs'
  | 'blobBucket'
  /** The staged objects `uploads/*`, and their S3 bucket. */
  | 'staging'
  | 'stagingBucket'
  /** The queue of verifications, and its dead-letter queue. */
  | 'queue'
  | 'deadLetters'
  /** The customer-managed key, if one is set. */
  | 'key'

/** `s3:PutObject` covers UploadPart, UploadPartCopy, CreateMultipartUpload and CompleteMultipartUpload. */
const STAGE = [
  's3:PutObject',
  's3:GetObject',
  's3:ListMultipartUploadParts',
  's3:AbortMultipartUpload',
  's3:DeleteObject',
]
/** Failed streams and promotions abort their multipart upload, whose parts would otherwise cost money until the lifecycle rule runs. */
const STORE = ['s3:PutObject', 's3:GetObject', 's3:AbortMultipartUpload']
/** Without it S3 returns 403 for a missing object, which looks like a broken policy. */
const DETECT_MISSING = ['s3:ListBucket']
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

/** The actions of each side's role by resource. `test/infra/roles.test.ts` compares them with the calls of `lib/aws`. */
export const PERMISSIONS: {
  readonly [S in LambdaSide]: { readonly [R in Resource]?: readonly string[] }
} = {
  read: {
    ledger: ['dynamodb:GetItem', 'dynamodb:Query'],
    uploads: ['dynamodb:GetItem'],
    // The function signs GET URLs with this permission, and checks whether the blob of an upload exists.
    blobs: ['s3:GetObject'],
    staging: ['s3:ListMultipartUploadParts'],
    key: ['kms:Decrypt', 'kms:DescribeKey'],
  },
  write: {
    ledger: ['dynamodb:GetItem', 'dynamodb:PutItem'],
    uploads: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'],
    blobs: STORE,
    blobBucket: DETECT_MISSING,
    staging: STAGE,
    stagingBucket: DETECT_MISSING,
    queue: ['sqs:SendMessage'],
    key: ENCRYPT,
  },
  verify: {
    ledger: ['dynamodb:GetItem', 'dynamodb:PutItem'],
    uploads: ['dynamodb:GetItem', 'dynamodb:PutItem'],
    blobs: STORE,
    blobBucket: DETECT_MISSING,
    staging: STAGE,
    stagingBucket: DETECT_MISSING,
    queue: CONSUME,
    deadLetters: CONSUME,
    key: ENCRYPT,
  },
}
