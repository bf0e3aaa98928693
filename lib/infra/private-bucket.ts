/**
 * An S3 bucket for the bytes of artifacts: encrypted, private, TLS only, and retained with its policy when its stack is deleted.
 * An existing bucket can be adopted by name. The stack then manages its policy only; the operator manages the rest.
 */
import { Annotations, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  BucketPolicy,
  type BucketProps,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import type { Settings } from './settings.ts'

export interface PrivateBucketProps {
  readonly settings: Settings
  /** Customer-managed; undefined means the key that S3 manages. */
  readonly key: IKey | undefined
  /** An existing bucket to adopt; undefined creates one. */
  readonly existingName?: string | undefined
  /** Properties of a created bucket; none of them grants access. */
  readonly created: Pick<
    BucketProps,
    'versioned' | 'lifecycleRules' | 'cors' | 'objectLockEnabled' | 'objectLockDefaultRetention'
  >
}

/** One statement of a bucket policy that denies something to everyone who meets its conditions. */
export interface Denial {
  readonly sid: string
  readonly actions: readonly string[]
  readonly on: 'bucket' | 'objects' | 'all'
  readonly conditions: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export class PrivateBucket extends Construct {
  readonly bucket: IBucket
  readonly #policy: BucketPolicy

  constructor(scope: Construct, id: string, props: PrivateBucketProps) {
    super(scope, id)
    this.bucket = props.existingName === undefined ? this.create(props) : this.adopt(props.existingName)
    this.#policy = new BucketPolicy(this, 'Policy', {
      bucket: this.bucket,
      // Without its policy the retained bucket would lose every protection that the policy enforces.
      removalPolicy: RemovalPolicy.RETAIN,
    })
    for (const denial of [...TLS_ONLY, ...presignedRequests(props.settings)]) this.deny(denial)
  }

  /** Adds a statement that denies `actions` to every principal, under `conditions`. */
  deny({ sid, actions, on, conditions }: Denial): void {
    const { bucketArn } = this.bucket
    const objects = this.bucket.arnForObjects('*')
    this.#policy.document.addStatements(
      new PolicyStatement({
        sid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: [...actions],
        resources: { bucket: [bucketArn], objects: [objects], all: [bucketArn, objects] }[on],
        conditions,
      }),
    )
  }

  private create({ key, created }: PrivateBucketProps): IBucket {
    // The id `Default` adds nothing to the logical id. Another id would replace the buckets of existing deployments.
    const bucket = new Bucket(this, 'Default', {
      ...(key
        ? { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
      ...created,
    })
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Server access logs contain the query strings of presigned requests, which Bucket never logs (docs/http-api.md, section 9.5). CloudTrail data events record the same accesses.',
    })
    acknowledge(bucket, {
      CKV_AWS_18:
        'Server access logs contain the query strings of presigned requests, which Bucket never logs.',
      ...(created.versioned
        ? {}
        : { CKV_AWS_21: 'Everything in this bucket expires; versions would keep it.' }),
    })
    // The CDK's types are not made for `exactOptionalPropertyTypes`.
    return bucket as IBucket
  }

  private adopt(name: string): IBucket {
    Annotations.of(this).addInfo(
      `${name} is an existing S3 bucket: this stack manages only its policy. Check its versioning, encryption and public access block (docs/operations.md, Backup and restore).`,
    )
    return Bucket.fromBucketName(this, 'Default', name)
  }
}

const TLS_ONLY: readonly Denial[] = [
  {
    sid: 'TlsOnly',
    actions: ['s3:*'],
    on: 'all',
    conditions: { Bool: { 'aws:SecureTransport': 'false' } },
  },
  {
    sid: 'Tls12OrLater',
    actions: ['s3:*'],
    on: 'all',
    conditions: { NumericLessThan: { 's3:TlsVersion': '1.2' } },
  },
]

/**
 * Bounds the lifetime of presigned requests, and with a private API binds them to its VPCs. The functions themselves run
 * outside the VPC; they sign their own requests in headers, so the second rule does not affect them.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourcevpc — the key
 * is absent from requests that use no VPC endpoint, and a negated operator matches an absent key.
 */
function presignedRequests({ presignedSeconds, vpcIds }: Settings): Denial[] {
  const presigned = { StringEquals: { 's3:authType': 'REST-QUERY-STRING' } }
  const lifetime: Denial = {
    sid: 'PresignedLifetime',
    actions: ['s3:*'],
    on: 'objects',
    conditions: {
      ...presigned,
      NumericGreaterThan: { 's3:signatureAge': String(presignedSeconds * 1000) },
    },
  }
  if (vpcIds === undefined) return [lifetime]
  const network: Denial = {
    sid: 'PresignedFromVpc',
    actions: ['s3:*'],
    on: 'objects',
    conditions: { ...presigned, StringNotEquals: { 'aws:SourceVpc': [...vpcIds] } },
  }
  return [lifetime, network]
}
