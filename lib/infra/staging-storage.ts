/**
 * The S3 bucket for the parts of uploads, apart from that of the blobs: there nothing may be deleted, here everything expires.
 * It has no versions and no locks, which would keep what is to go. Nothing in it is ever visible to a reader.
 */
import { CfnElement, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { storeFromPages } from './cross-origin.ts'
import type { Settings } from './settings.ts'

/** Every staged object's key begins with this; the roles reach nothing else in the S3 bucket. */
export const STAGING_PREFIX = 'uploads/'

/** Longer than an upload lives (7 days, begun anew by commit) and its verification is tried, so that nothing is lost to it. */
const EXPIRE_DAYS = 9

export interface StagingStorageProps {
  readonly settings: Settings
  readonly key: IKey | undefined
}

export class StagingStorage extends Construct {
  readonly bucket: Bucket
  /** The ARN pattern of all that is staged. */
  readonly stagedArn: string

  constructor(scope: Construct, id: string, { settings, key }: StagingStorageProps) {
    super(scope, id)
    this.bucket = new Bucket(this, 'Bucket', {
      ...(key
        ? { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      versioned: false,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // CloudFormation deletes no S3 bucket that holds something; this one empties itself.
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        {
          id: 'expire-everything',
          expiration: Duration.days(EXPIRE_DAYS),
          abortIncompleteMultipartUploadAfter: Duration.days(EXPIRE_DAYS),
        },
      ],
      cors: storeFromPages(settings),
    })
    this.stagedArn = this.bucket.arnForObjects(`${STAGING_PREFIX}*`)
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
}
