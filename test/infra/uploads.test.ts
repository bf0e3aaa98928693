/** The storage of open uploads: everything in it expires, and no verification fails silently. */
import { describe, expect, it } from 'vitest'
import { UPLOADS_TTL } from '../../lib/deployment/tables.ts'
import { UPLOAD_SECONDS } from '../../lib/domain/limits.ts'
import { ARNS, statements, synthesize } from './synthesized.ts'

type Given = Parameters<typeof synthesize>

describe('the S3 bucket for parts', () => {
  const bucket = (...args: Given) =>
    synthesize(...args).resource('AWS::S3::Bucket', 'ServiceStaging').Properties

  it('is private', () => {
    expect(bucket()).toMatchObject({
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    })
  })

  it('expires everything, later than any upload lives', () => {
    expect(bucket().LifecycleConfiguration).toEqual({
      Rules: [
        {
          Id: 'expire-everything',
          Status: 'Enabled',
          ExpirationInDays: 9,
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 9 },
        },
      ],
    })
    expect(9 * 24 * 3600).toBeGreaterThan(UPLOAD_SECONDS + 24 * 3600)
  })

  it('has no versions and no locks, which would prevent expiry', () => {
    const locked = bucket({ objectLockMode: 'governance', objectLockDays: 30 })
    expect(locked).not.toHaveProperty('VersioningConfiguration')
    expect(locked).not.toHaveProperty('ObjectLockEnabled')
  })

  it('is encrypted, with the configured key if there is one', () => {
    const rule = (...args: Given) => JSON.stringify(bucket(...args).BucketEncryption)
    expect(rule()).toContain('AES256')
    expect(rule({ kmsKeyArn: ARNS.key })).toContain(ARNS.key)
  })

  it('allows only configured origins to send parts', () => {
    expect(bucket()).not.toHaveProperty('CorsConfiguration')
    expect(bucket({ corsOrigins: ['https://app.example.com'] })).toMatchObject({
      CorsConfiguration: {
        CorsRules: [{ AllowedOrigins: ['https://app.example.com'], AllowedMethods: ['PUT'] }],
      },
    })
  })
})

describe('the uploads table', () => {
  const resource = (...args: Given) =>
    synthesize(...args).resource('AWS::DynamoDB::GlobalTable', 'ServiceUploads')

  it('expires rows, is billed per request, and is deleted with the stack', () => {
    expect(resource().Properties).toMatchObject({
      TimeToLiveSpecification: { AttributeName: UPLOADS_TTL, Enabled: true },
      BillingMode: 'PAY_PER_REQUEST',
    })
    expect(resource()).toMatchObject({ DeletionPolicy: 'Delete' })
  })

  it('is encrypted with a KMS key, the configured one if there is one', () => {
    expect(resource().Properties.SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS' })
    expect(resource({ kmsKeyArn: ARNS.key }).Properties.Replicas).toMatchObject([
      { SSESpecification: { KMSMasterKeyId: ARNS.key } },
    ])
  })
})

describe('the queue of verifications', () => {
  const queue = (name: string, ...args: Given) =>
    synthesize(...args).resource('AWS::SQS::Queue', `ServiceVerification${name}`).Properties
  const mapping = (name: string, ...args: Given) =>
    synthesize(...args).resource('AWS::Lambda::EventSourceMapping', `ServiceVerifyFunction${name}`).Properties

  it('hides a message for longer than the verifier runs', () => {
    const { Timeout } = synthesize().resource('AWS::Lambda::Function', 'ServiceVerify').Properties
    for (const name of ['Queue', 'DeadLetters'])
      expect(queue(name).VisibilityTimeout).toBeGreaterThan(Number(Timeout))
  })

  it('moves a message that keeps failing to the dead-letter queue, and drops none', () => {
    expect(queue('Queue').RedrivePolicy).toEqual({
      maxReceiveCount: 8,
      deadLetterTargetArn: {
        'Fn::GetAtt': [expect.stringMatching(/^ServiceVerificationDeadLetters/), 'Arn'],
      },
    })
    expect(queue('Queue').MessageRetentionPeriod).toBeGreaterThanOrEqual(UPLOAD_SECONDS)
    expect(queue('DeadLetters').MessageRetentionPeriod).toBe(14 * 24 * 3600)
  })

  it.each(['Queue', 'DeadLetters'])('%s is encrypted, with the configured key if there is one', (name) => {
    expect(queue(name)).toMatchObject({ SqsManagedSseEnabled: true })
    expect(queue(name, { kmsKeyArn: ARNS.key })).toMatchObject({ KmsMasterKeyId: ARNS.key })
  })

  it.each(['Queue', 'DeadLetters'])('%s accepts only TLS', (name) => {
    const policy = synthesize().resource('AWS::SQS::QueuePolicy', `ServiceVerification${name}`).Properties
    expect(statements(policy.PolicyDocument)).toEqual([
      expect.objectContaining({
        Effect: 'Deny',
        Action: 'sqs:*',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    ])
  })

  it('delivers one message per invocation, and each fails separately', () => {
    expect(mapping('Queue')).toMatchObject({
      BatchSize: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      EventSourceArn: { 'Fn::GetAtt': [expect.stringMatching(/^ServiceVerificationQueue/), 'Arn'] },
    })
    // An unbounded verifier could use up the concurrency of the account.
    expect(mapping('Queue')).toMatchObject({ ScalingConfig: { MaximumConcurrency: 20 } })
    expect(mapping('Queue', { verifyConcurrency: 5 })).toMatchObject({
      ScalingConfig: { MaximumConcurrency: 5 },
    })
  })

  it('delivers dead letters to the verifier, so that their uploads fail', () => {
    expect(mapping('DeadLetters')).toMatchObject({
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      EventSourceArn: { 'Fn::GetAtt': [expect.stringMatching(/^ServiceVerificationDeadLetters/), 'Arn'] },
    })
  })

  it('delivers only after the verifier’s role may receive messages', () => {
    for (const [, { DependsOn }] of Object.entries(
      synthesize().resources('AWS::Lambda::EventSourceMapping') as Record<string, { DependsOn?: string[] }>,
    ))
      expect(DependsOn).toContainEqual(expect.stringMatching(/^ServiceVerifyPolicy/))
  })
})
