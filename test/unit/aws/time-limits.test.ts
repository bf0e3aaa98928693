/** A service that accepts a call and never answers: each call ends by itself, and says so. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type CallLimits,
  createDynamoDbClient,
  createS3Client,
  LAMBDA_BLOB_LIMITS,
  LEDGER_LIMITS,
  VERIFIER_BLOB_LIMITS,
} from '../../../lib/aws/clients.ts'
import { createDynamoDbLedger } from '../../../lib/aws/dynamodb-ledger.ts'
import { createS3BlobStore } from '../../../lib/aws/s3-blob-store.ts'
import { GIB, MIB } from '../../../lib/domain/limits.ts'
import type { BlobStore, Ledger } from '../../../lib/repository/ports.ts'
import { QUEUE_LEASE_MS, VERIFIER_LEASE_MS } from '../../../lib/repository/upload-record.ts'
import { type AwsOperation, type AwsStandIn, startAwsStandIn } from '../../support/aws-stand-in.ts'
import { described } from '../../support/described.ts'
import { blobOf, entryOf, noise, REF, verified } from './fixtures.ts'

const SHORT: CallLimits = { connectMs: 200, answerMs: 200, idleMs: 200, attempts: 1 }
const credentials = async () => ({ accessKeyId: 'AKIA', secretAccessKey: 'secret' })
const small = Buffer.from('hello')
const large = noise(9 * MIB)

let aws: AwsStandIn
let ledger: Ledger
let blobs: BlobStore
beforeAll(async () => {
  aws = await startAwsStandIn()
  const dynamo = createDynamoDbClient({ region: 'eu-west-1', endpoint: aws.url }, SHORT)
  const s3 = createS3Client({ region: 'eu-west-1', endpoint: aws.url }, SHORT)
  dynamo.config.credentials = credentials
  s3.config.credentials = credentials
  ledger = createDynamoDbLedger({ client: dynamo, table: 'ledger' })
  blobs = createS3BlobStore({ client: s3, bucket: 'blobs', maxBytes: GIB, endpoint: aws.url })
})
afterAll(() => aws.close())
beforeEach(() => aws.reset())

const write = (bytes: Buffer) =>
  blobs.write(blobOf(bytes), verified(bytes), {
    size: bytes.byteLength,
    description: described({ contentType: 'text/plain' }),
    signal: undefined,
  })

const CALLS: [AwsOperation, () => Promise<unknown>][] = [
  ['GetItem', () => ledger.find(REF)],
  ['GetItem', () => ledger.check()],
  ['PutItem', () => ledger.append(entryOf(small), 'request-1')],
  ['Query', () => ledger.list(REF, undefined, 10)],
  ['PutObject', () => write(small)],
  ['CreateMultipartUpload', () => write(large)],
  ['UploadPart', () => write(large)],
  ['CompleteMultipartUpload', () => write(large)],
  ['HeadObject', () => blobs.inspect(blobOf(small))],
  ['GetObject', () => blobs.read(blobOf(small), undefined, undefined)],
  ['HeadBucket', () => blobs.check()],
]

test.each(CALLS)('%s without a response ends as unavailable', async (operation, call) => {
  aws.misbehave(operation, 'stall')
  await expect(call()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('took too long'),
  })
  expect(aws.objects.size).toBe(0)
})

test('parts whose removal gets no response do not block the caller', async () => {
  aws.misbehave('UploadPart', 'stall')
  aws.misbehave('AbortMultipartUpload', 'stall')
  await expect(write(large)).rejects.toMatchObject({ code: 'unavailable' })
})

describe('the limits of the deployed form', () => {
  const longest = ({ answerMs, attempts }: CallLimits) => answerMs * attempts
  /** Of all pauses between the attempts of one call: the SDK's are below a second each. */
  const PAUSES_MS = 3000

  test('let an inline store against a service that never responds end before the gateway times out', () => {
    // One ledger read, one PUT, one append.
    expect(longest(LEDGER_LIMITS) * 2 + longest(LAMBDA_BLOB_LIMITS) + PAUSES_MS).toBeLessThanOrEqual(28_000)
  })

  test('end an append long before its lease expires', () => {
    const { connectMs, attempts } = LEDGER_LIMITS
    const append = longest(LEDGER_LIMITS) + connectMs * attempts + PAUSES_MS
    expect(append * 4).toBeLessThan(Math.min(VERIFIER_LEASE_MS, QUEUE_LEASE_MS))
  })

  test('end a publish before its lease expires', () => {
    // The joining, and one inspection of what has the name by then.
    const { completeMs, connectMs } = VERIFIER_BLOB_LIMITS
    expect(completeMs + connectMs + PAUSES_MS).toBeLessThan(VERIFIER_LEASE_MS)
  })
})
