/** The checks before a server starts: a store that breaks a need is named, and scratch objects are removed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDynamoDbClient, createS3Client } from '../../../lib/aws/clients.ts'
import { type ProbedStores, probeStores } from '../../../lib/aws/probe-stores.ts'
import { type AwsStandIn, startAwsStandIn } from '../../support/aws-stand-in.ts'

const SHORT = { connectMs: 500, answerMs: 2000, idleMs: 2000, attempts: 1 }
const credentials = async () => ({ accessKeyId: 'AKIA', secretAccessKey: 'secret' })
let aws: AwsStandIn
let stores: ProbedStores

beforeAll(async () => {
  aws = await startAwsStandIn()
  const s3 = createS3Client({ region: 'eu-west-1', endpoint: aws.url }, SHORT)
  const dynamoDb = createDynamoDbClient({ region: 'eu-west-1', endpoint: aws.url }, SHORT)
  s3.config.credentials = credentials
  dynamoDb.config.credentials = credentials
  stores = {
    ...{ s3, endpoint: aws.url, blobBucket: 'blobs', stagingBucket: 'staging' },
    ...{ dynamoDb, ledgerTable: 'ledger', uploadsTable: 'uploads', queue: undefined },
  }
})
afterAll(() => aws?.close())
beforeEach(() => aws.reset())

const problems = async () =>
  Object.fromEntries(
    (await probeStores(stores)).flatMap(({ need, problem }) => (problem === null ? [] : [[need, problem]])),
  )

test('only the signature check, which the stand-in lacks, fails, and no scratch object or row remains', async () => {
  expect(await problems()).toEqual({
    'S3 refuses presigned PUTs that were changed': 'it accepted a wrong signature',
  })
  expect([aws.objects.size, aws.openUploads.size, aws.rows.size]).toEqual([0, 0, 0])
})

test('scratch objects are in the staging bucket only', async () => {
  await probeStores(stores)
  for (const { operation, path } of aws.calls)
    if (operation.endsWith('Object')) expect(path).toMatch(/^\/staging\/uploads\/probe\//)
})

describe('an unusable store is named, with the reason', () => {
  test('if an S3 bucket does not exist', async () => {
    aws.misbehave('HeadBucket', { status: 404, code: 'NoSuchBucket' })
    expect(await problems()).toMatchObject({
      'S3 bucket blobs can be used': expect.stringContaining('does not exist'),
      'S3 bucket staging can be used': expect.stringContaining('does not exist'),
    })
    expect(aws.operations()).not.toContain('PutObject')
  })

  test('if a table does not exist', async () => {
    aws.misbehave('GetItem', { status: 400, code: 'ResourceNotFoundException' })
    expect(await problems()).toMatchObject({
      'DynamoDB table ledger can be used': expect.stringContaining('does not exist'),
      'DynamoDB table uploads can be used': expect.stringContaining('does not exist'),
    })
  })

  test('if access is denied', async () => {
    aws.misbehave('PutObject', { status: 403, code: 'AccessDenied' })
    expect(await problems()).toMatchObject({
      'S3 refuses a second create-only PUT': expect.stringContaining('access denied'),
    })
  })
})

describe('an unmet requirement is named', () => {
  test('if parts are listed without their SHA-256', async () => {
    aws.misbehave('ListParts', { status: 200, code: 'Nothing' })
    expect(await problems()).toHaveProperty('S3 lists the SHA-256 of parts')
  })

  test('if a create-only Complete fails with another status', async () => {
    aws.misbehave('CompleteMultipartUpload', { status: 500, code: 'InternalError' })
    expect(await problems()).toMatchObject({
      'S3 refuses a create-only Complete of an existing object': expect.stringContaining('InternalError'),
    })
  })

  test('if an object cannot be inspected', async () => {
    aws.misbehave('HeadObject', { status: 501, code: 'NotImplemented' })
    expect(await problems()).toHaveProperty('S3 reports the SHA-256 of an object')
  })

  test('if a conditional put is not refused', async () => {
    aws.misbehave('PutItem', { status: 200, code: 'Ignored' })
    expect(await problems()).toMatchObject({
      'DynamoDB refuses a conditional put of an existing row': 'it replaced a row',
    })
  })
})
