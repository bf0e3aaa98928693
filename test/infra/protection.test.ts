/** The bucket policies, evaluated for requests: who may store, what only the break-glass role may do, and from where. */
import { describe, expect, it } from 'vitest'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { deniedBy, type PolicyRequest } from './policy-evaluation.ts'
import { ARNS, statements, synthesize } from './synthesized.ts'

const WRITE_ROLE = 'ServiceWriteRole'
const VERIFY_ROLE = 'ServiceVerifyRole'
const ADMINISTRATOR = 'arn:aws:iam::123456789012:role/administrator'
const SERVER = 'arn:aws:iam::123456789012:role/bucket-server'

/** A request over TLS 1.3 that is signed in its headers by `principal`. */
const request = (
  action: string,
  principal: string | undefined,
  keys: Record<string, string> = {},
  on: PolicyRequest['on'] = 'objects',
): PolicyRequest => ({
  action,
  on,
  keys: {
    'aws:SecureTransport': 'true',
    's3:TlsVersion': '1.3',
    's3:authType': 'REST-HEADER',
    ...(principal === undefined ? {} : { 'aws:PrincipalArn': principal }),
    ...keys,
  },
})

/** PutObject as the adapters send it. */
const put = (principal: string | undefined, keys: Record<string, string> = {}) =>
  request('s3:PutObject', principal, {
    's3:ObjectCreationOperation': 'true',
    's3:if-none-match': '*',
    ...keys,
  })

const denials = (bucket: 'Blobs' | 'Staging', one: PolicyRequest, service?: BucketServiceProps) => {
  const policy = synthesize(service).resource('AWS::S3::BucketPolicy', `Service${bucket}`)
  return deniedBy(statements(policy.Properties.PolicyDocument), one)
}
const ofBlobs = (one: PolicyRequest, service?: BucketServiceProps) => denials('Blobs', one, service)

describe('storing a blob', () => {
  it.each([WRITE_ROLE, VERIFY_ROLE])('is allowed to %s under an absent key', (role) => {
    expect(ofBlobs(put(role))).toEqual([])
  })

  it.each([
    ['an administrator', ADMINISTRATOR],
    ['the read function', 'ServiceReadRole'],
    ['an AWS service or an anonymous caller', undefined],
  ])('is denied to %s, who could plant a blob that the service takes for verified', (_, principal) => {
    expect(ofBlobs(put(principal))).toEqual(['OnlyWriters'])
  })

  it('is allowed to the roles of servers that the deployer names', () => {
    expect(ofBlobs(put(SERVER))).toEqual(['OnlyWriters'])
    expect(ofBlobs(put(SERVER), { writerRoleArns: [SERVER] })).toEqual([])
  })

  it('is denied without If-None-Match, even to the writers', () => {
    const { 's3:if-none-match': _, ...keys } = put(WRITE_ROLE).keys ?? {}
    expect(ofBlobs({ ...put(WRITE_ROLE), keys })).toEqual(['CreateOnly'])
  })

  it('allows parts without If-None-Match, which they cannot carry', () => {
    const part = request('s3:PutObject', VERIFY_ROLE, { 's3:ObjectCreationOperation': 'false' })
    expect(ofBlobs(part)).toEqual([])
  })

  it('is denied under a customer-provided key, even to the writers', () => {
    const keys = { 's3:x-amz-server-side-encryption-customer-algorithm': 'AES256' }
    expect(ofBlobs(put(WRITE_ROLE, keys))).toEqual(['NoCustomerKeys'])
  })

  it('is denied by replication from another bucket', () => {
    expect(ofBlobs(request('s3:ReplicateObject', ADMINISTRATOR))).toEqual(['NoReplicas'])
  })
})

describe('destroying or weakening what is stored', () => {
  const destructive: readonly [string, PolicyRequest['on']][] = [
    ['s3:DeleteObject', 'objects'],
    ['s3:DeleteObjectVersion', 'objects'],
    ['s3:BypassGovernanceRetention', 'objects'],
    ['s3:ReplicateDelete', 'objects'],
    ['s3:DeleteBucket', 'bucket'],
    ['s3:PutBucketVersioning', 'bucket'],
    ['s3:PutLifecycleConfiguration', 'bucket'],
    ['s3:PutBucketObjectLockConfiguration', 'bucket'],
    ['s3:PutEncryptionConfiguration', 'bucket'],
    ['s3:PutReplicationConfiguration', 'bucket'],
    ['s3:PutBucketPublicAccessBlock', 'bucket'],
    ['s3:PutBucketOwnershipControls', 'bucket'],
    ['s3:PutIntelligentTieringConfiguration', 'bucket'],
  ]

  it.each(destructive)('%s is denied to everyone', (action, on) => {
    for (const principal of [ADMINISTRATOR, WRITE_ROLE, VERIFY_ROLE, ARNS.breakGlass, undefined])
      expect(ofBlobs(request(action, principal, {}, on)), principal).not.toEqual([])
  })

  it.each(destructive)('%s is allowed to the break-glass role alone, if there is one', (action, on) => {
    const service = { breakGlassRoleArn: ARNS.breakGlass }
    expect(ofBlobs(request(action, ARNS.breakGlass, {}, on), service)).toEqual([])
    for (const principal of [ADMINISTRATOR, WRITE_ROLE, `${ARNS.breakGlass}2`])
      expect(ofBlobs(request(action, principal, {}, on), service), principal).not.toEqual([])
  })
})

describe.each(['Blobs', 'Staging'] as const)('the S3 bucket of %s', (bucket) => {
  const presigned = (seconds: number, keys: Record<string, string> = {}) =>
    request('s3:GetObject', WRITE_ROLE, {
      's3:authType': 'REST-QUERY-STRING',
      's3:signatureAge': String(seconds * 1000),
      ...keys,
    })

  it('keeps its policy when the stack is deleted', () => {
    expect(synthesize().resource('AWS::S3::BucketPolicy', `Service${bucket}`)).toMatchObject({
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    })
  })

  it('accepts only TLS 1.2 or later', () => {
    const get = (keys: Record<string, string>) => denials(bucket, request('s3:GetObject', WRITE_ROLE, keys))
    expect(get({ 'aws:SecureTransport': 'false' })).toEqual(['TlsOnly'])
    expect(get({ 's3:TlsVersion': '1.1' })).toEqual(['Tls12OrLater'])
    expect(get({ 's3:TlsVersion': '1.2' })).toEqual([])
  })

  it('denies presigned requests that are older than their lifetime', () => {
    expect(denials(bucket, presigned(3600))).toEqual([])
    expect(denials(bucket, presigned(3601))).toEqual(['PresignedLifetime'])
    const service = { presignedSeconds: 300 }
    expect(denials(bucket, presigned(300), service)).toEqual([])
    expect(denials(bucket, presigned(301), service)).toEqual(['PresignedLifetime'])
  })

  it('accepts presigned requests of a private API only from its VPCs', () => {
    const service = { vpcEndpointIds: ['vpce-0123456789abcdef0'], vpcIds: ['vpc-0123456789abcdef0'] }
    expect(denials(bucket, presigned(1))).toEqual([])
    expect(denials(bucket, presigned(1), service)).toEqual(['PresignedFromVpc'])
    expect(denials(bucket, presigned(1, { 'aws:SourceVpc': 'vpc-0fffffffffffffff0' }), service)).toEqual([
      'PresignedFromVpc',
    ])
    expect(denials(bucket, presigned(1, { 'aws:SourceVpc': 'vpc-0123456789abcdef0' }), service)).toEqual([])
    // The functions, which run outside the VPC, sign in headers.
    expect(denials(bucket, request('s3:GetObject', 'ServiceReadRole'), service)).toEqual([])
  })

  it('has only Deny statements in its policy', () => {
    const policy = synthesize().resource('AWS::S3::BucketPolicy', `Service${bucket}`)
    for (const { Effect } of statements(policy.Properties.PolicyDocument)) expect(Effect).toBe('Deny')
  })
})

describe('existing deployments', () => {
  it('keep the logical ids of resources that hold data: another id would replace them with empty ones', () => {
    const ids = (type: string) => Object.keys(synthesize().resources(type)).sort()
    expect(ids('AWS::S3::Bucket')).toEqual(['ServiceBlobsBucket491F2017', 'ServiceStagingBucketDBD9D61E'])
    expect(ids('AWS::S3::BucketPolicy')).toEqual([
      'ServiceBlobsBucketPolicy0E82A927',
      'ServiceStagingBucketPolicy23B08035',
    ])
    expect(ids('AWS::DynamoDB::GlobalTable')).toEqual([
      'ServiceLedgerTable8C64106D',
      'ServiceUploadsTableD56B67F5',
    ])
    expect(ids('AWS::ApiGateway::RestApi')).toEqual(['ServiceApiRestApiD01AE7DF'])
  })
})

describe('adopting what an earlier stack retained', () => {
  const adopting = { ledgerTableName: 'restored-ledger', blobBucketName: 'retained-blobs' }

  it('creates no ledger and no blob bucket, and gives the functions the existing ones', () => {
    const { resources } = synthesize(adopting)
    expect(Object.keys(resources('AWS::S3::Bucket'))).toEqual(['ServiceStagingBucketDBD9D61E'])
    expect(Object.keys(resources('AWS::DynamoDB::GlobalTable'))).toEqual(['ServiceUploadsTableD56B67F5'])
    for (const { Properties } of Object.values(resources('AWS::Lambda::Function')))
      if (JSON.stringify(Properties).includes('BUCKET_LEDGER_TABLE'))
        expect(Properties.Environment).toMatchObject({
          Variables: { BUCKET_LEDGER_TABLE: 'restored-ledger', BUCKET_BLOB_BUCKET: 'retained-blobs' },
        })
  })

  it('lets the roles access exactly those', () => {
    const policies = Object.values(synthesize(adopting).resources('AWS::IAM::Policy'))
    expect(policies.length).toBeGreaterThan(2)
    for (const { Properties } of policies) {
      const text = JSON.stringify(Properties.PolicyDocument)
      expect(text).toContain('table/restored-ledger')
      expect(text).toContain(':s3:::retained-blobs/blobs/*')
    }
  })

  it('protects the existing S3 bucket with the same policy, for the roles of this stack', () => {
    const policy = synthesize(adopting).resource('AWS::S3::BucketPolicy', 'ServiceBlobs')
    expect(policy.Properties.Bucket).toBe('retained-blobs')
    expect(ofBlobs(put(WRITE_ROLE), adopting)).toEqual([])
    expect(ofBlobs(put(ADMINISTRATOR), adopting)).toEqual(['OnlyWriters'])
  })

  it('can keep writers out until the ledger is repaired', () => {
    const readOnly = synthesize({ ...adopting, readOnly: true })
    const reserved = (side: string) =>
      readOnly.resource('AWS::Lambda::Function', `Service${side}Function`).Properties
        .ReservedConcurrentExecutions
    expect([reserved('Read'), reserved('Write'), reserved('Verify')]).toEqual([undefined, 0, 0])
    for (const { Properties } of Object.values(readOnly.resources('AWS::Lambda::EventSourceMapping')))
      expect(Properties.Enabled).toBe(false)
  })
})
