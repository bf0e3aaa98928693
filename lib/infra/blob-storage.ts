/**
 * The S3 bucket of the blobs. Its policy enforces invariant I3 regardless of what roles allow: an object is created once,
 * never deleted, never replaced, and its protection cannot be weakened. Only the break-glass role is exempt, if one is set.
 * Principals with `s3:PutBucketPolicy` can replace the policy itself.
 */
import { Duration } from 'aws-cdk-lib'
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { ObjectLockRetention } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { BLOB_PREFIX } from '../deployment/tables.ts'
import { fetchFromPages, storeFromPages } from './cross-origin.ts'
import { PrivateBucket } from './private-bucket.ts'
import type { Settings } from './settings.ts'

/** How long the parts of an incomplete multipart upload stay. */
const INCOMPLETE_UPLOAD_DAYS = 7

export interface BlobStorageProps {
  readonly settings: Settings
  /** Customer-managed; undefined means the key that AWS manages. */
  readonly key: IKey | undefined
}

/** The S3 bucket of the blobs: versioned, with Object Lock if the settings ask for it. It outlives its stack. */
export class BlobStorage extends Construct {
  readonly bucket: PrivateBucket
  /** The ARN pattern of all blobs. The roles can access nothing else in the S3 bucket. */
  readonly blobsArn: string

  constructor(scope: Construct, id: string, props: BlobStorageProps) {
    super(scope, id)
    const { settings, key } = props
    const retention = objectLockRetention(settings)
    this.bucket = new PrivateBucket(this, 'Bucket', {
      key,
      versioned: true,
      lifecycleRules: [
        {
          id: 'abort-incomplete-uploads',
          abortIncompleteMultipartUploadAfter: Duration.days(INCOMPLETE_UPLOAD_DAYS),
        },
      ],
      ...(retention ? { objectLockEnabled: true, objectLockDefaultRetention: retention } : {}),
      cors: [...fetchFromPages(settings), ...storeFromPages(settings)],
    })
    this.blobsArn = this.bucket.arnForObjects(`${BLOB_PREFIX}*`)
    for (const statement of this.guards(settings.breakGlassRoleArn))
      this.bucket.addToResourcePolicy(statement)
  }

  /** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html */
  private guards(breakGlassRoleArn: string | undefined): PolicyStatement[] {
    const objects = this.bucket.arnForObjects('*')
    const exempt =
      breakGlassRoleArn === undefined ? {} : { ArnNotEquals: { 'aws:PrincipalArn': breakGlassRoleArn } }
    const deny = (sid: string, actions: string[], resource: string, conditions: Record<string, unknown>) =>
      new PolicyStatement({
        sid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions,
        resources: [resource],
        conditions,
      })
    return [
      // The second condition exempts UploadPart and UploadPartCopy, which cannot carry the header; CompleteMultipartUpload carries it.
      deny('CreateOnly', ['s3:PutObject'], objects, {
        Null: { 's3:if-none-match': 'true' },
        Bool: { 's3:ObjectCreationOperation': 'true' },
        ...exempt,
      }),
      deny(
        'NoDelete',
        ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
        objects,
        exempt,
      ),
      deny(
        'KeepProtection',
        ['s3:PutBucketVersioning', 's3:PutLifecycleConfiguration', 's3:DeleteBucket'],
        this.bucket.bucketArn,
        exempt,
      ),
      // Bucket could not return an object whose encryption key only its sender knows, so there is no exemption.
      deny('NoCustomerKeys', ['s3:PutObject'], objects, {
        Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' },
      }),
    ]
  }
}

function objectLockRetention({ objectLockMode, objectLockDays }: Settings): ObjectLockRetention | undefined {
  if (objectLockMode === undefined || objectLockDays === undefined) return undefined
  const duration = Duration.days(objectLockDays)
  return objectLockMode === 'compliance'
    ? ObjectLockRetention.compliance(duration)
    : ObjectLockRetention.governance(duration)
}
