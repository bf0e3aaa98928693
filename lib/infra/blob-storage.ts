/**
 * The S3 bucket of the blobs. Its policy enforces invariant I3 regardless of what roles allow: only the service stores objects,
 * an object is created once, never deleted, never replaced, and its protection cannot be weakened. Only the break-glass role is
 * exempt, if one is set. Principals with `s3:PutBucketPolicy` can replace the policy itself.
 */
import { Duration } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { ObjectLockRetention, StorageClass } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { BLOB_PREFIX } from '../deployment/tables.ts'
import { fetchFromPages, storeFromPages } from './cross-origin.ts'
import { type Denial, PrivateBucket } from './private-bucket.ts'
import type { Settings } from './settings.ts'

/** How long the parts of an incomplete multipart upload stay. */
const INCOMPLETE_UPLOAD_DAYS = 7

/**
 * The days after which S3 allows the transition to each storage class.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
 */
const TRANSITIONS = {
  'intelligent-tiering': { storageClass: StorageClass.INTELLIGENT_TIERING, days: 0 },
  'standard-ia': { storageClass: StorageClass.INFREQUENT_ACCESS, days: 30 },
  'glacier-ir': { storageClass: StorageClass.GLACIER_INSTANT_RETRIEVAL, days: 0 },
} as const

export interface BlobStorageProps {
  readonly settings: Settings
  /** Customer-managed; undefined means the key that AWS manages. */
  readonly key: IKey | undefined
}

/** The S3 bucket of the blobs: versioned, with Object Lock if the settings ask for it. It outlives its stack. */
export class BlobStorage extends Construct {
  readonly storage: PrivateBucket
  /** The ARN pattern of all blobs. The roles can access nothing else in the S3 bucket. */
  readonly blobsArn: string

  constructor(scope: Construct, id: string, { settings, key }: BlobStorageProps) {
    super(scope, id)
    const retention = objectLockRetention(settings)
    this.storage = new PrivateBucket(this, 'Bucket', {
      settings,
      key,
      existingName: settings.blobBucketName,
      created: {
        versioned: true,
        lifecycleRules: [
          {
            id: 'abort-incomplete-uploads',
            abortIncompleteMultipartUploadAfter: Duration.days(INCOMPLETE_UPLOAD_DAYS),
          },
          ...storageClassRules(settings),
        ],
        ...(retention ? { objectLockEnabled: true, objectLockDefaultRetention: retention } : {}),
        cors: [...fetchFromPages(settings), ...storeFromPages(settings)],
      },
    })
    this.blobsArn = this.storage.bucket.arnForObjects(`${BLOB_PREFIX}*`)
  }

  /**
   * Adds the statements that protect the blobs.
   *
   * @param writers the ARNs of the roles that store blobs. Every other principal is denied, even with `s3:PutObject` of its own:
   * the service trusts the digest that a blob's metadata states, so a planted object would be taken for a verified one.
   */
  protect(writers: readonly string[], { breakGlassRoleArn }: Settings): void {
    const breakGlass = breakGlassRoleArn === undefined ? [] : [breakGlassRoleArn]
    for (const denial of guards(writers, breakGlass)) this.storage.deny(denial)
  }
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html */
function guards(writers: readonly string[], breakGlass: readonly string[]): Denial[] {
  // The key is the role's ARN for all of its sessions. A negated operator matches requests that lack the key, so that AWS
  // services and anonymous requests are denied, too.
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
  const allBut = (roles: readonly string[]) =>
    roles.length > 0 ? { ArnNotEquals: { 'aws:PrincipalArn': [...roles] } } : {}
  return [
    {
      sid: 'OnlyWriters',
      on: 'objects',
      actions: ['s3:PutObject'],
      conditions: allBut([...writers, ...breakGlass]),
    },
    {
      // Replication into this bucket creates objects with an action of its own.
      sid: 'NoReplicas',
      on: 'objects',
      actions: ['s3:ReplicateObject', 's3:ReplicateDelete'],
      conditions: allBut(breakGlass),
    },
    {
      // The second condition exempts UploadPart and UploadPartCopy, which cannot carry the header; CompleteMultipartUpload carries it.
      sid: 'CreateOnly',
      on: 'objects',
      actions: ['s3:PutObject'],
      conditions: {
        Null: { 's3:if-none-match': 'true' },
        Bool: { 's3:ObjectCreationOperation': 'true' },
        ...allBut(breakGlass),
      },
    },
    {
      sid: 'NoDelete',
      on: 'objects',
      actions: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
      conditions: allBut(breakGlass),
    },
    {
      sid: 'KeepProtection',
      on: 'bucket',
      actions: [
        's3:DeleteBucket',
        's3:PutBucketVersioning',
        's3:PutLifecycleConfiguration',
        's3:PutBucketObjectLockConfiguration',
        's3:PutEncryptionConfiguration',
        's3:PutReplicationConfiguration',
        's3:PutBucketPublicAccessBlock',
        's3:PutBucketOwnershipControls',
        // Its archive tiers make objects unreadable for hours.
        's3:PutIntelligentTieringConfiguration',
      ],
      conditions: allBut(breakGlass),
    },
    {
      // Bucket could not return an object whose encryption key only its sender knows, so there is no exemption.
      sid: 'NoCustomerKeys',
      on: 'objects',
      actions: ['s3:PutObject'],
      conditions: { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' } },
    },
  ]
}

function storageClassRules({ storageClass }: Settings) {
  if (storageClass === 'standard') return []
  const transition = TRANSITIONS[storageClass]
  return [
    {
      id: 'storage-class',
      prefix: BLOB_PREFIX,
      transitions: [
        { storageClass: transition.storageClass, transitionAfter: Duration.days(transition.days) },
      ],
    },
  ]
}

function objectLockRetention({ objectLockMode, objectLockDays }: Settings): ObjectLockRetention | undefined {
  if (objectLockMode === undefined || objectLockDays === undefined) return undefined
  const duration = Duration.days(objectLockDays)
  return objectLockMode === 'compliance'
    ? ObjectLockRetention.compliance(duration)
    : ObjectLockRetention.governance(duration)
}
