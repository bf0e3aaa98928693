import {
  GetObjectCommand,
  HeadObjectCommand,
  NotFound,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createS3Client } from '../../../lib/aws/clients.ts'
import { createS3BlobStore } from '../../../lib/aws/s3-blob-store.ts'
import { digestBase64, digestHex } from '../../../lib/domain/digest.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { type AwsStandIn, startAwsStandIn } from '../../support/aws-stand-in.ts'
import { blobOf, collect, noise } from './fixtures.ts'

const bytes = Buffer.from('hello')
const blob = blobOf(bytes)
const key = `blobs/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digestHex(blob.digest)}`

describe('the inspection of a blob', () => {
  const client = new S3Client({ region: 'eu-west-1', maxAttempts: 1 })
  const s3 = mockClient(client)
  const store = createS3BlobStore({ client, bucket: 'blobs', maxBytes: MIB })
  beforeEach(() => s3.reset())
  const sum = digestBase64(blob.digest)

  test.each([
    ['S3 hashed the whole', { ChecksumSHA256: sum, ChecksumType: 'FULL_OBJECT' as const }, true],
    ['S3 hashed parts', { ChecksumSHA256: `${sum}-1`, ChecksumType: 'COMPOSITE' as const }, false],
    [
      'a checksum of parts that looks whole',
      { ChecksumSHA256: sum, ChecksumType: 'COMPOSITE' as const },
      false,
    ],
    ['a checksum of unknown kind', { ChecksumSHA256: sum }, false],
    [
      'S3 hashed other bytes',
      { ChecksumSHA256: digestBase64(blobOf(noise(4)).digest), ChecksumType: 'FULL_OBJECT' as const },
      false,
    ],
    ['our writers marked it', { Metadata: { 'bucket-sha256': digestHex(blob.digest) } }, true],
    ['a mark of another digest', { Metadata: { 'bucket-sha256': '0'.repeat(64) } }, false],
    ['there is no attestation', {}, false],
  ])('%s', async (_, head, attested) => {
    s3.on(HeadObjectCommand).resolves({ ContentLength: 5, ...head })
    expect(await store.inspect(blob)).toEqual({ found: true, size: 5, attested })
    expect(s3.commandCalls(HeadObjectCommand)[0]?.args[0].input).toEqual({
      Bucket: 'blobs',
      Key: key,
      ChecksumMode: 'ENABLED',
    })
  })

  test('reports a missing blob as missing', async () => {
    s3.on(HeadObjectCommand).rejects(new NotFound({ message: '', $metadata: { httpStatusCode: 404 } }))
    expect(await store.inspect(blob)).toEqual({ found: false })
  })

  test('reports a blob that the role may not see as unavailable, never as missing', async () => {
    const error = { name: 'Forbidden', $fault: 'client' as const, $metadata: { httpStatusCode: 403 } }
    s3.on(HeadObjectCommand).rejects(new S3ServiceException(error))
    await expect(store.inspect(blob)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('requests a range unchanged', async () => {
    s3.on(GetObjectCommand).rejects(new Error('enough'))
    await expect(store.read(blob, { first: 2, last: 3 }, undefined)).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(s3.commandCalls(GetObjectCommand)[0]?.args[0].input).toEqual({
      Bucket: 'blobs',
      Key: key,
      Range: 'bytes=2-3',
    })
  })
})

describe('reading a blob', () => {
  let aws: AwsStandIn
  const connect = (idleMs: number) =>
    createS3BlobStore({
      client: createS3Client(
        { region: 'eu-west-1', endpoint: aws.url },
        { connectMs: 500, answerMs: 2000, idleMs, attempts: 1 },
      ),
      bucket: 'blobs',
      maxBytes: MIB,
    })
  beforeAll(async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIA')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    aws = await startAwsStandIn()
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    return aws.close()
  })
  beforeEach(() => aws.reset())

  const large = noise(MIB)
  const put = (content: Buffer) =>
    aws.objects.set(`/blobs/${key}`, {
      bytes: content,
      contentType: '',
      etag: '"1"',
      sha256: null,
      metadata: {},
    })

  test('returns all bytes, or one range', async () => {
    put(large)
    const store = connect(2000)
    expect((await collect(await store.read(blob, undefined, undefined))).equals(large)).toBe(true)
    const range = await store.read(blob, { first: 1000, last: 70_000 }, undefined)
    expect((await collect(range)).equals(large.subarray(1000, 70_001))).toBe(true)
  })

  test('that is missing is lost, because the ledger promised it', async () => {
    await expect(connect(2000).read(blob, undefined, undefined)).rejects.toMatchObject({
      code: 'blob_lost',
    })
  })

  test('that breaks off is unavailable, never a shorter blob', async () => {
    put(large)
    aws.misbehave('GetObject', 'cut')
    const opened = await connect(2000).read(blob, undefined, undefined)
    await expect(collect(opened)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('whose connection stalls is unavailable', async () => {
    put(large)
    aws.misbehave('GetObject', 'pause')
    const opened = await connect(200).read(blob, undefined, undefined)
    await expect(collect(opened)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('ends with the reason of the aborted request', async () => {
    put(large)
    aws.misbehave('GetObject', 'pause')
    const request = new AbortController()
    const opened = await connect(2000).read(blob, undefined, request.signal)
    const reading = collect(opened)
    request.abort(new Error('the caller went away'))
    await expect(reading).rejects.toThrow('the caller went away')
  })

  test('that is not read to the end closes its connection', async () => {
    put(noise(8 * MIB))
    for await (const _ of await connect(2000).read(blob, undefined, undefined)) break
    await expect.poll(() => aws.openAnswers()).toBe(0)
  })
})
