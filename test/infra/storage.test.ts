/** What is stored stays: the S3 bucket and the table keep it against the service itself, the stack, and a slip of the hand. */
import { describe, expect, it } from 'vitest'
import { EXPOSED_HEADERS } from '../../lib/protocol/headers.ts'
import { ARNS, actionsOf, statements, synthesize } from './synthesized.ts'

const blobBucket = (...args: Parameters<typeof synthesize>) =>
  synthesize(...args).resource('AWS::S3::Bucket', 'ServiceBlobs').Properties
const guards = (...args: Parameters<typeof synthesize>) =>
  statements(synthesize(...args).resource('AWS::S3::BucketPolicy', 'ServiceBlobs').Properties.PolicyDocument)
const guard = (sid: string, ...args: Parameters<typeof synthesize>) =>
  guards(...args).find((statement) => statement.Sid === sid)

describe('the S3 bucket of the blobs', () => {
  it('is private and owned by one account', () => {
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

  it('keeps versions and is kept when the stack goes', () => {
    expect(blobBucket()).toMatchObject({ VersioningConfiguration: { Status: 'Enabled' } })
    expect(synthesize().resource('AWS::S3::Bucket', 'ServiceBlobs')).toMatchObject({
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    })
  })

  it('expires nothing: its lifecycle only aborts incomplete uploads', () => {
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

  it('is encrypted by S3, or with the key that the deployer names', () => {
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

  it('answers only over TLS 1.2 or later', () => {
    const conditions = guards()
      .filter(({ Action }) => Action === 's3:*')
      .map(({ Effect, Condition }) => ({ Effect, Condition }))
    expect(conditions).toEqual([
      { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
      { Effect: 'Deny', Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } } },
    ])
  })

  it('takes an object only under a key that has none', () => {
    expect(guard('CreateOnly')).toMatchObject({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 's3:PutObject',
      Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    })
  })

  it('deletes for nobody', () => {
    expect(guard('NoDelete')).toMatchObject({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
    })
    expect(guard('NoDelete')).not.toHaveProperty('Condition')
  })

  it('keeps its versioning and lifecycle as they are', () => {
    expect(guard('KeepProtection')).toMatchObject({
      Effect: 'Deny',
      Action: ['s3:PutBucketVersioning', 's3:PutLifecycleConfiguration', 's3:DeleteBucket'],
    })
  })

  it('takes no object under a key of the sender', () => {
    expect(guard('NoCustomerKeys')).toMatchObject({
      Effect: 'Deny',
      Action: 's3:PutObject',
      Condition: { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' } },
    })
  })

  it('exempts the break-glass role, where one is named, and no other', () => {
    const exempt = { ArnNotEquals: { 'aws:PrincipalArn': ARNS.breakGlass } }
    const named = guards({ breakGlassRoleArn: ARNS.breakGlass })
    const exempting = named.filter(({ Condition }) => Condition && 'ArnNotEquals' in Condition)
    expect(exempting.map(({ Sid }) => Sid)).toEqual(['CreateOnly', 'NoDelete', 'KeepProtection'])
    for (const statement of exempting) expect(statement.Condition).toMatchObject(exempt)
    expect(JSON.stringify(guards())).not.toContain('PrincipalArn')
  })

  it('locks objects only where the deployer asks for it', () => {
    expect(blobBucket()).not.toHaveProperty('ObjectLockEnabled')
    expect(blobBucket({ objectLockMode: 'governance', objectLockDays: 30 })).toMatchObject({
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 30 } } },
    })
    expect(blobBucket({ objectLockMode: 'compliance', objectLockDays: 365 })).toMatchObject({
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 365 } } },
    })
  })

  it('lets only the named web pages read, with the headers of a fetch, and store what they have a request for', () => {
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

  it('gives no statement of its policy that allows anything', () => {
    for (const statement of guards()) expect(statement.Effect, actionsOf(statement).join()).toBe('Deny')
  })
})

describe('the ledger table', () => {
  const table = (...args: Parameters<typeof synthesize>) =>
    synthesize(...args).resource('AWS::DynamoDB::GlobalTable', 'ServiceLedger').Properties
  const [replica] = table().Replicas as Record<string, unknown>[]

  it('can be restored to any second, and is not deleted by mistake or with the stack', () => {
    expect(replica).toMatchObject({
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      DeletionProtectionEnabled: true,
    })
    expect(synthesize().resource('AWS::DynamoDB::GlobalTable', 'ServiceLedger')).toMatchObject({
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    })
  })

  it('pays per request and scales by itself', () => {
    expect(table()).toMatchObject({ BillingMode: 'PAY_PER_REQUEST' })
  })

  it('is encrypted with a key of KMS, the deployer’s where one is named', () => {
    expect(table().SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS' })
    expect(table({ kmsKeyArn: ARNS.key }).Replicas).toMatchObject([
      { SSESpecification: { KMSMasterKeyId: ARNS.key } },
    ])
  })

  it('forgets nothing: no row has a time to live, and nothing listens to it', () => {
    expect(table()).not.toHaveProperty('TimeToLiveSpecification')
    expect(table()).not.toHaveProperty('StreamSpecification')
  })
})
