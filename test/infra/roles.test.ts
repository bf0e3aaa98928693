/** Each role allows exactly the calls of its handler, and no role can delete or change stored artifacts. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { blobKey } from '../../lib/aws/blob-object.ts'
import { stagingKey } from '../../lib/aws/staged-object.ts'
import { digestFromHex } from '../../lib/domain/digest.ts'
import { parseRef } from '../../lib/domain/refs.ts'
import { ARNS, actionsOf, statements, synthesize } from './synthesized.ts'

/** The source files of a folder, without subfolders. */
const sourcesOf = (folder: string): string =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => readFileSync(`${folder}/${name}`, 'utf8'))
    .join('\n')

const commandsOf = (sources: string) => new Set(sources.match(/(?<=new )\w+(?=Command\()/g))

const SIDES = ['Read', 'Write', 'Verify'] as const

const permissions = (side: (typeof SIDES)[number], ...args: Parameters<typeof synthesize>) =>
  Object.fromEntries(
    statements(
      synthesize(...args).resource('AWS::IAM::Policy', `Service${side}Policy`).Properties.PolicyDocument,
    ).map((statement) => [
      String(statement.Sid),
      { actions: actionsOf(statement), resource: statement.Resource },
    ]),
  )

const ledgerArn = { 'Fn::GetAtt': [expect.stringMatching(/^ServiceLedgerTable/), 'Arn'] }
const bucketArn = { 'Fn::GetAtt': [expect.stringMatching(/^ServiceBlobsBucket/), 'Arn'] }
const blobsArn = { 'Fn::Join': ['', [bucketArn, '/blobs/*']] }
const uploadsArn = { 'Fn::GetAtt': [expect.stringMatching(/^ServiceUploadsTable/), 'Arn'] }
const stagingBucketArn = { 'Fn::GetAtt': [expect.stringMatching(/^ServiceStagingBucket/), 'Arn'] }
const stagingArn = { 'Fn::Join': ['', [stagingBucketArn, '/uploads/*']] }
const queueArn = { 'Fn::GetAtt': [expect.stringMatching(/^ServiceVerificationQueue/), 'Arn'] }
const deadLettersArn = { 'Fn::GetAtt': [expect.stringMatching(/^ServiceVerificationDeadLetters/), 'Arn'] }
const STAGE = [
  's3:PutObject',
  's3:GetObject',
  's3:ListMultipartUploadParts',
  's3:AbortMultipartUpload',
  's3:DeleteObject',
]
const STORE = ['s3:PutObject', 's3:GetObject', 's3:AbortMultipartUpload']
const CONSUME = [
  'sqs:ReceiveMessage',
  'sqs:DeleteMessage',
  'sqs:GetQueueAttributes',
  'sqs:ChangeMessageVisibility',
]
const logs = (side: string) => ({
  actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
  resource: { 'Fn::GetAtt': [expect.stringMatching(new RegExp(`^Service${side}Logs`)), 'Arn'] },
})

describe('the role of the read side', () => {
  it('reads the ledger and the uploads, signs reads of blobs, and lists the parts of an upload', () => {
    expect(permissions('Read')).toEqual({
      Ledger: { actions: ['dynamodb:GetItem', 'dynamodb:Query'], resource: ledgerArn },
      Uploads: { actions: ['dynamodb:GetItem'], resource: uploadsArn },
      Blobs: { actions: ['s3:GetObject'], resource: blobsArn },
      Staging: { actions: ['s3:ListMultipartUploadParts'], resource: stagingArn },
      Logs: logs('Read'),
    })
  })
})

describe('the role of the write side', () => {
  it('reads and puts ledger rows, manages uploads, puts and inspects blobs, and can tell missing from forbidden', () => {
    expect(permissions('Write')).toEqual({
      Ledger: { actions: ['dynamodb:GetItem', 'dynamodb:PutItem'], resource: ledgerArn },
      Uploads: {
        actions: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'],
        resource: uploadsArn,
      },
      Blobs: { actions: STORE, resource: blobsArn },
      BlobBucket: { actions: ['s3:ListBucket'], resource: bucketArn },
      Staging: { actions: STAGE, resource: stagingArn },
      StagingBucket: { actions: ['s3:ListBucket'], resource: stagingBucketArn },
      Queue: { actions: ['sqs:SendMessage'], resource: queueArn },
      Logs: logs('Write'),
    })
  })
})

describe('the role of the verifier', () => {
  it('receives verifications, reads and completes staged objects, puts blobs, and puts rows', () => {
    expect(permissions('Verify')).toEqual({
      Ledger: { actions: ['dynamodb:GetItem', 'dynamodb:PutItem'], resource: ledgerArn },
      Uploads: { actions: ['dynamodb:GetItem', 'dynamodb:PutItem'], resource: uploadsArn },
      Blobs: { actions: STORE, resource: blobsArn },
      BlobBucket: { actions: ['s3:ListBucket'], resource: bucketArn },
      Staging: { actions: STAGE, resource: stagingArn },
      StagingBucket: { actions: ['s3:ListBucket'], resource: stagingBucketArn },
      Queue: { actions: CONSUME, resource: queueArn },
      DeadLetters: { actions: CONSUME, resource: deadLettersArn },
      Logs: logs('Verify'),
    })
  })
})

describe('all roles', () => {
  it('may use the deployer’s key only through the stores', () => {
    for (const side of SIDES) {
      const policy = synthesize({ kmsKeyArn: ARNS.key }).resource('AWS::IAM::Policy', `Service${side}Policy`)
      const key = statements(policy.Properties.PolicyDocument).find(({ Sid }) => Sid === 'Key')
      const via = (service: string) => ({
        'Fn::Join': ['', [`${service}.`, { Ref: 'AWS::Region' }, '.amazonaws.com']],
      })
      expect(key?.Condition).toEqual({
        StringEquals: { 'kms:ViaService': [via('s3'), via('dynamodb'), via('sqs')] },
      })
    }
  })

  it('may use the deployer’s key only as reading or writing requires', () => {
    expect(permissions('Read', { kmsKeyArn: ARNS.key }).Key).toEqual({
      actions: ['kms:Decrypt', 'kms:DescribeKey'],
      resource: ARNS.key,
    })
    expect(permissions('Write', { kmsKeyArn: ARNS.key }).Key).toMatchObject({ resource: ARNS.key })
  })

  it('have no managed and no inline policies', () => {
    const { resources } = synthesize({ gatewayLogRole: false })
    const roles = Object.values(resources('AWS::IAM::Role'))
    expect(roles).toHaveLength(3)
    for (const { Properties } of roles) {
      expect(Properties).not.toHaveProperty('ManagedPolicyArns')
      expect(Properties).not.toHaveProperty('Policies')
    }
    expect(Object.keys(resources('AWS::IAM::Policy'))).toHaveLength(3)
  })

  it('have no wildcard in an action', () => {
    for (const side of SIDES)
      for (const { actions } of Object.values(permissions(side, { kmsKeyArn: ARNS.key })))
        for (const action of actions) expect(action).not.toContain('*')
  })

  it('allow no action that deletes or updates stored artifacts', () => {
    for (const side of SIDES)
      for (const [sid, { actions }] of Object.entries(permissions(side)))
        if (['Ledger', 'Blobs', 'BlobBucket'].includes(sid))
          for (const action of actions)
            expect(action).not.toMatch(/Delete|Update|BatchWrite|Tagging|Retention/)
  })

  it('access staged objects and blobs in separate S3 buckets', () => {
    const { StagingBucket, BlobBucket } = permissions('Verify')
    expect(StagingBucket?.resource).not.toEqual(BlobBucket?.resource)
  })

  it('cover the keys that the adapters write', () => {
    const id = { ref: parseRef('models/llama/v1'), digest: digestFromHex('a'.repeat(64)) }
    // The prefixes of the ARNs above.
    expect(blobKey(id)).toMatch(/^blobs\//)
    expect(stagingKey(id, 'attempt')).toMatch(/^uploads\//)
  })

  it('cover every AWS call of the adapters', () => {
    const called = commandsOf(sourcesOf('lib/aws'))
    const needs: Record<string, string> = {
      GetItem: 'dynamodb:GetItem',
      Query: 'dynamodb:Query',
      PutItem: 'dynamodb:PutItem',
      GetObject: 's3:GetObject',
      HeadObject: 's3:GetObject',
      HeadBucket: 's3:ListBucket',
      ListParts: 's3:ListMultipartUploadParts',
      UploadPart: 's3:PutObject',
      GetQueueAttributes: 'sqs:GetQueueAttributes',
      PutObject: 's3:PutObject',
      CreateMultipartUpload: 's3:PutObject',
      UploadPartCopy: 's3:PutObject',
      CompleteMultipartUpload: 's3:PutObject',
      AbortMultipartUpload: 's3:AbortMultipartUpload',
      DeleteObject: 's3:DeleteObject',
      DeleteItem: 'dynamodb:DeleteItem',
      SendMessage: 'sqs:SendMessage',
      ChangeMessageVisibility: 'sqs:ChangeMessageVisibility',
    }
    const granted = new Set(
      SIDES.flatMap((side) => Object.values(permissions(side)).flatMap(({ actions }) => actions)),
    )
    for (const command of called) expect(granted, command).toContain(needs[command])
  })
})

describe('the operators’ tools', () => {
  it('only list and read', () => {
    expect([...commandsOf(sourcesOf('lib/aws/operator'))].sort()).toEqual([
      'DescribeStacks',
      'HeadObject',
      'ListObjectsV2',
      'Scan',
    ])
  })

  it('are in no function, and no role may scan the ledger', () => {
    for (const folder of ['lambda', 'lib/aws', 'lib/http', 'lib/repository', 'lib/protocol'])
      expect(sourcesOf(folder), folder).not.toMatch(/from '[^']*operator\//)
    const granted = SIDES.flatMap((side) =>
      Object.values(permissions(side)).flatMap(({ actions }) => actions),
    )
    expect(granted).not.toContain('dynamodb:Scan')
  })
})
