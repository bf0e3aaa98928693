/**
 * The S3 bucket that holds the blobs. Its own policy keeps invariant I3 whatever a role may do: an object is created once,
 * never deleted, never replaced, and the versioning that protects it stays as it is.
 * Only the break-glass role, where one is named, is exempt. Who may change this policy can of course lift it.
 */
import { CfnElement, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { fetchFromPages, storeFromPages } from './cross-origin.ts'
import type { Settings } from './settings.ts'

/** Every blob's key begins with this; the roles reach nothing else in the S3 bucket. */
export const BLOB_PREFIX = 'blobs/'

/** How long the parts of an upload that nobody finished may stay. */
const INCOMPLETE_UPLOAD_DAYS = 7

export interface BlobStorageProps {
  readonly settings: Settings
  readonly key: IKey | undefined
}

export class BlobStorage extends Construct {
  readonly bucket: Bucket
  /** The ARN pattern of all blobs. */
  readonly blobsArn: string

  constructor(scope: Construct, id: string, props: BlobStorageProps) {
    super(scope, id)
    const { settings, key } = props
    const retention = objectLockRetention(settings)
    this.bucket = new Bucket(this, 'Bucket', {
      ...(key
        ? { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      versioned: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: RemovalPolicy.RETAIN,
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
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Server access logs hold the query strings of presigned requests, and Bucket promises that those are never logged (docs/http-api.md, section 9.5). CloudTrail data events record the same accesses.',
    })
  }

  /** The name of the S3 bucket within its template, by which findings about it are acknowledged. */
  get bucketLogicalId(): string {
    const element = this.bucket.node.defaultChild
    return element instanceof CfnElement ? Stack.of(this).getLogicalId(element) : ''
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
      // The second condition leaves out UploadPart, which cannot carry the header, nor UploadPartCopy: completing the upload does.
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
      // An object under a key that only its sender knows could not be given back to anybody else: no exemption.
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
