/** An S3 bucket for the bytes of artifacts: encrypted, private, TLS only, retained when its stack is deleted. */
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

/** The properties in which the S3 buckets differ; none of them grants access. */
export interface PrivateBucketProps
  extends Pick<
    BucketProps,
    'versioned' | 'lifecycleRules' | 'cors' | 'objectLockEnabled' | 'objectLockDefaultRetention'
  > {
  /** Customer-managed; undefined means the key that S3 manages. */
  readonly key: IKey | undefined
}

/** CloudFormation generates the name. */
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
        'Server access logs contain the query strings of presigned requests, which Bucket never logs (docs/http-api.md, section 9.5). CloudTrail data events record the same accesses.',
    })
  }

  /** The logical id in the template, used to acknowledge findings about this bucket. */
  get logicalId(): string {
    const element = this.node.defaultChild
    return element instanceof CfnElement ? Stack.of(this).getLogicalId(element) : ''
  }
}
