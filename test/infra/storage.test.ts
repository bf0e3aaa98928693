/** Stored artifacts are protected from the service itself, from the deletion of the stack, and from mistakes. */
import { describe, expect, it } from 'vitest'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { EXPOSED_HEADERS } from '../../lib/protocol/response-headers.ts'
import { ARNS, synthesize } from './synthesized.ts'

const blobBucket = (...args: Parameters<typeof synthesize>) =>
  synthesize(...args).resource('AWS::S3::Bucket', 'ServiceBlobs').Properties

describe('the S3 bucket of the blobs', () => {
  it('is private, and its account owns every object', () => {
    expect(blobBucket()).toMatchObject({
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    })
  })

  it('is versioned, and retained when the stack is deleted', () => {
    expect(blobBucket()).toMatchObject({ VersioningConfiguration: { Status: 'Enabled' } })
    expect(synthesize().resource('AWS::S3::Bucket', 'ServiceBlobs')).toMatchObject({
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    })
  })

  it('expires nothing: its lifecycle only aborts incomplete multipart uploads', () => {
    expect(blobBucket().LifecycleConfiguration).toEqual({
      Rules: [
        {
          Id: 'abort-incomplete-uploads',
          Status: 'Enabled',
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
        },
      ],
    })
  })

  it('moves blobs to the configured storage class, never to one that needs a restore', () => {
    const transitions = (storageClass: NonNullable<BucketServiceProps['storageClass']>) => {
      const { Rules } = blobBucket({ storageClass }).LifecycleConfiguration as {
        Rules: Record<string, unknown>[]
      }
      return Rules.flatMap(({ Prefix, Transitions }) => (Transitions ? [{ Prefix, Transitions }] : []))
    }
    const rule = (StorageClass: string, TransitionInDays: number) => [
      { Prefix: 'blobs/', Transitions: [{ StorageClass, TransitionInDays }] },
    ]
    expect(transitions('standard')).toEqual([])
    expect(transitions('intelligent-tiering')).toEqual(rule('INTELLIGENT_TIERING', 0))
    expect(transitions('standard-ia')).toEqual(rule('STANDARD_IA', 30))
    expect(transitions('glacier-ir')).toEqual(rule('GLACIER_IR', 0))
  })

  it('is encrypted with S3’s key, or with the configured one', () => {
    const algorithm = (properties: Record<string, unknown>) => properties.BucketEncryption
    expect(algorithm(blobBucket())).toEqual({
      ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    })
    expect(algorithm(blobBucket({ kmsKeyArn: ARNS.key }))).toEqual({
      ServerSideEncryptionConfiguration: [
        {
          BucketKeyEnabled: true,
          ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: ARNS.key },
        },
      ],
    })
  })

  it('locks objects only if configured', () => {
    expect(blobBucket()).not.toHaveProperty('ObjectLockEnabled')
    expect(blobBucket({ objectLockMode: 'governance', objectLockDays: 30 })).toMatchObject({
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 30 } } },
    })
    expect(blobBucket({ objectLockMode: 'compliance', objectLockDays: 365 })).toMatchObject({
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 365 } } },
    })
  })

  it('allows only configured origins to read and to store', () => {
    expect(blobBucket()).not.toHaveProperty('CorsConfiguration')
    expect(blobBucket({ corsOrigins: ['https://app.example.com'] })).toMatchObject({
      CorsConfiguration: {
        CorsRules: [
          {
            AllowedOrigins: ['https://app.example.com'],
            AllowedMethods: ['GET', 'HEAD'],
            ExposedHeaders: [...EXPOSED_HEADERS],
          },
          {
            AllowedOrigins: ['https://app.example.com'],
            AllowedMethods: ['PUT'],
            AllowedHeaders: ['Content-Type', 'If-None-Match', 'x-amz-checksum-sha256', 'x-amz-meta-*'],
          },
        ],
      },
    })
  })
})

describe('the ledger table', () => {
  const table = (...args: Parameters<typeof synthesize>) =>
    synthesize(...args).resource('AWS::DynamoDB::GlobalTable', 'ServiceLedger').Properties
  const [replica] = table().Replicas as Record<string, unknown>[]

  it('has point-in-time recovery and deletion protection, and is retained with the stack', () => {
    expect(replica).toMatchObject({
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      DeletionProtectionEnabled: true,
    })
    expect(synthesize().resource('AWS::DynamoDB::GlobalTable', 'ServiceLedger')).toMatchObject({
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    })
  })

  it('is billed per request and scales on demand', () => {
    expect(table()).toMatchObject({ BillingMode: 'PAY_PER_REQUEST' })
  })

  it('is encrypted with a KMS key, the configured one if there is one', () => {
    expect(table().SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS' })
    expect(table({ kmsKeyArn: ARNS.key }).Replicas).toMatchObject([
      { SSESpecification: { KMSMasterKeyId: ARNS.key } },
    ])
  })

  it('has no time to live and no stream', () => {
    expect(table()).not.toHaveProperty('TimeToLiveSpecification')
    expect(table()).not.toHaveProperty('StreamSpecification')
  })
})
