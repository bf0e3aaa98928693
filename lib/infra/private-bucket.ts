/** An S3 bucket for bytes of artifacts: encrypted, closed to the public, over TLS only, never deleted with its stack. */
import { CfnElement, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'

/** What the S3 buckets may differ in; nothing of it opens one. */
export interface PrivateBucketProps
  extends Pick<
    BucketProps,
    'versioned' | 'lifecycleRules' | 'cors' | 'objectLockEnabled' | 'objectLockDefaultRetention'
  > {
  /** Of the customer; S3's own where there is none. */
  readonly key: IKey | undefined
}

/** Such an S3 bucket; the name is CloudFormation's choice. */
export class PrivateBucket extends Bucket {
  constructor(scope: Construct, id: string, { key, ...props }: PrivateBucketProps) {
    super(scope, id, {
      ...(key
        ? { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: RemovalPolicy.RETAIN,
      ...props,
    })
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Server access logs hold the query strings of presigned requests, and Bucket promises that those are never logged (docs/http-api.md, section 9.5). CloudTrail data events record the same accesses.',
    })
  }

  /** Its name within the template, by which findings about it are acknowledged. */
  get logicalId(): string {
    const element = this.node.defaultChild
    return element instanceof CfnElement ? Stack.of(this).getLogicalId(element) : ''
  }
}
