/** Stored artifacts are protected from the service itself, from the deletion of the stack, and from mistakes. */
import { describe, expect, it } from 'vitest'
import { EXPOSED_HEADERS } from '../../lib/protocol/response-headers.ts'
import { ARNS, actionsOf, statements, synthesize } from './synthesized.ts'

const blobBucket = (...args: Parameters<typeof synthesize>) =>
  synthesize(...args).resource('AWS::S3::Bucket', 'ServiceBlobs').Properties
const guards = (...args: Parameters<typeof synthesize>) =>
  statements(synthesize(...args).resource('AWS::S3::BucketPolicy', 'ServiceBlobs').Properties.PolicyDocument)
const guard = (sid: string, ...args: Parameters<typeof synthesize>) =>
  guards(...args).find((statement) => statement.Sid === sid)

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

  it('accepts only TLS 1.2 or later', () => {
    const conditions = guards()
      .filter(({ Action }) => Action === 's3:*')
      .map(({ Effect, Condition }) => ({ Effect, Condition }))
    expect(conditions).toEqual([
      { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
      { Effect: 'Deny', Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } } },
    ])
  })

  it('accepts an object only under an absent key', () => {
    expect(guard('CreateOnly')).toMatchObject({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 's3:PutObject',
      Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    })
  })

  it('denies deletion to everyone', () => {
    expect(guard('NoDelete')).toMatchObject({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
    })
    expect(guard('NoDelete')).not.toHaveProperty('Condition')
  })

  it('denies changes to its protection', () => {
    expect(guard('KeepProtection')).toMatchObject({
      Effect: 'Deny',
      Action: ['s3:PutBucketVersioning', 's3:PutLifecycleConfiguration', 's3:DeleteBucket'],
    })
  })

  it('denies objects under customer-provided keys', () => {
    expect(guard('NoCustomerKeys')).toMatchObject({
      Effect: 'Deny',
      Action: 's3:PutObject',
      Condition: { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' } },
    })
  })

  it('exempts only the configured break-glass role', () => {
    const exempt = { ArnNotEquals: { 'aws:PrincipalArn': ARNS.breakGlass } }
    const named = guards({ breakGlassRoleArn: ARNS.breakGlass })
    const exempting = named.filter(({ Condition }) => Condition && 'ArnNotEquals' in Condition)
    expect(exempting.map(({ Sid }) => Sid)).toEqual(['CreateOnly', 'NoDelete', 'KeepProtection'])
    for (const statement of exempting) expect(statement.Condition).toMatchObject(exempt)
    expect(JSON.stringify(guards())).not.toContain('PrincipalArn')
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
            AllowedHeaders: ['Content-Type', 'If-None-Match', 'x-amz-checksum-sha256'],
          },
        ],
      },
    })
  })

  it('has only Deny statements in its policy', () => {
    for (const statement of guards()) expect(statement.Effect, actionsOf(statement).join()).toBe('Deny')
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
