/** Each side of the API may do exactly what its handler calls, and neither can delete or change what is stored. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BLOB_PREFIX } from '#infra/blob-storage'
import { ARNS, actionsOf, statements, synthesize } from './synthesized.ts'

const permissions = (side: 'Read' | 'Write', ...args: Parameters<typeof synthesize>) =>
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
const logs = (side: string) => ({
  actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
  resource: { 'Fn::GetAtt': [expect.stringMatching(new RegExp(`^Service${side}Logs`)), 'Arn'] },
})

describe('the role of the read side', () => {
  it('reads the ledger, and signs reads of blobs', () => {
    expect(permissions('Read')).toEqual({
      Ledger: { actions: ['dynamodb:GetItem', 'dynamodb:Query'], resource: ledgerArn },
      Blobs: { actions: ['s3:GetObject'], resource: blobsArn },
      Logs: logs('Read'),
    })
  })
})

describe('the role of the write side', () => {
  it('reads and puts ledger rows, puts and inspects blobs, and tells a missing blob from a forbidden one', () => {
    expect(permissions('Write')).toEqual({
      Ledger: { actions: ['dynamodb:GetItem', 'dynamodb:PutItem'], resource: ledgerArn },
      Blobs: { actions: ['s3:PutObject', 's3:GetObject', 's3:AbortMultipartUpload'], resource: blobsArn },
      BlobBucket: { actions: ['s3:ListBucket'], resource: bucketArn },
      Logs: logs('Write'),
    })
  })
})

describe('both roles', () => {
  it('use the deployer’s key, where there is one, and only what reading or writing with it takes', () => {
    expect(permissions('Read', { kmsKeyArn: ARNS.key }).Key).toEqual({
      actions: ['kms:Decrypt', 'kms:DescribeKey'],
      resource: ARNS.key,
    })
    expect(permissions('Write', { kmsKeyArn: ARNS.key }).Key).toMatchObject({ resource: ARNS.key })
  })

  it('have no other policy: none of AWS’s, none inline', () => {
    const { resources } = synthesize({ gatewayLogRole: false })
    const roles = Object.values(resources('AWS::IAM::Role'))
    expect(roles).toHaveLength(2)
    for (const { Properties } of roles) {
      expect(Properties).not.toHaveProperty('ManagedPolicyArns')
      expect(Properties).not.toHaveProperty('Policies')
    }
    expect(Object.keys(resources('AWS::IAM::Policy'))).toHaveLength(2)
  })

  it('have no wildcard in an action, and nothing that deletes or updates', () => {
    for (const side of ['Read', 'Write'] as const)
      for (const { actions } of Object.values(permissions(side, { kmsKeyArn: ARNS.key })))
        for (const action of actions)
          expect(action).not.toMatch(/\*|Delete|Update|BatchWrite|Tagging|Retention/)
  })

  it('reach the keys that the adapter writes', () => {
    const sources = readdirSync('lib/aws').map((name) => readFileSync(`lib/aws/${name}`, 'utf8'))
    expect(sources.join('\n')).toContain(`\`${BLOB_PREFIX}$`)
  })

  it('cover every AWS call of the adapters', () => {
    const sources = readdirSync('lib/aws').map((name) => readFileSync(`lib/aws/${name}`, 'utf8'))
    const called = new Set(sources.join('\n').match(/(?<=new )\w+(?=Command\()/g))
    const needs: Record<string, string> = {
      GetItem: 'dynamodb:GetItem',
      Query: 'dynamodb:Query',
      PutItem: 'dynamodb:PutItem',
      GetObject: 's3:GetObject',
      HeadObject: 's3:GetObject',
      HeadBucket: 's3:ListBucket',
      PutObject: 's3:PutObject',
    }
    const granted = new Set(
      (['Read', 'Write'] as const).flatMap((side) =>
        Object.values(permissions(side)).flatMap(({ actions }) => actions),
      ),
    )
    for (const command of called) expect(granted, command).toContain(needs[command])
  })
})
