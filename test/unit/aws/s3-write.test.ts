import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createS3Client } from '../../../lib/aws/clients.ts'
import { createS3BlobStore } from '../../../lib/aws/s3-blob-store.ts'
import { ONE_PUT_BYTES, uploadPartSize } from '../../../lib/aws/s3-write.ts'
import { digestBase64, digestHex } from '../../../lib/domain/digest.ts'
import type { BlobId } from '../../../lib/domain/entry.ts'
import { GIB, MIB } from '../../../lib/domain/limits.ts'
import type { BlobStore } from '../../../lib/repository/ports.ts'
import { type AwsStandIn, startAwsStandIn } from '../../support/aws-stand-in.ts'
import { described } from '../../support/described.ts'
import { blobOf, noise, verified } from './fixtures.ts'

let aws: AwsStandIn
let store: BlobStore
beforeAll(async () => {
  aws = await startAwsStandIn()
  const limits = { connectMs: 1000, answerMs: 5000, idleMs: 5000, attempts: 2 }
  const client = createS3Client({ region: 'eu-west-1', endpoint: aws.url }, limits)
  client.config.credentials = async () => ({ accessKeyId: 'AKIA', secretAccessKey: 'secret' })
  store = createS3BlobStore({ client, bucket: 'blobs', endpoint: aws.url, maxBytes: 5 * GIB })
})
afterAll(() => aws.close())
beforeEach(() => aws.reset())

const small = Buffer.from('hello')
/** Two parts. */
const large = noise(9 * MIB + 1)
const LARGE = blobOf(large)
const options = (size: number | undefined, signal?: AbortSignal) => ({
  size,
  description: described({ contentType: 'text/x' }),
  signal,
})
const keyOf = ({ digest }: BlobId) =>
  `/blobs/blobs/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digestHex(digest)}`

describe('a small blob of known size', () => {
  test('is one create-only PUT with its length and the digest for S3 to check', async () => {
    expect(await store.write(blobOf(small), verified(small), options(5))).toBe('written')
    expect(aws.operations()).toEqual(['PutObject'])
    expect(aws.calls[0]?.headers).toMatchObject({
      'if-none-match': '*',
      'content-length': '5',
      'content-type': 'text/x',
      'x-amz-checksum-sha256': digestBase64(blobOf(small).digest),
      'x-amz-sdk-checksum-algorithm': 'SHA256',
    })
    expect(aws.objects.get(keyOf(blobOf(small)))?.bytes).toEqual(small)
    expect(await store.inspect(blobOf(small))).toEqual({ found: true, size: 5, attested: true })
  })

  test('of zero bytes is stored and attested', async () => {
    const none = Buffer.alloc(0)
    expect(await store.write(blobOf(none), verified(none), options(0))).toBe('written')
    expect(await store.inspect(blobOf(none))).toEqual({ found: true, size: 0, attested: true })
  })

  test('with the bytes of another digest is never sent', async () => {
    const bytes = verified(Buffer.from('other'), blobOf(small).digest)
    await expect(store.write(blobOf(small), bytes, options(5))).rejects.toMatchObject({
      code: 'digest_mismatch',
    })
    expect(aws.calls).toEqual([])
  })

  test('is also hashed by S3, so that unverified bytes are not stored', async () => {
    async function* unverified() {
      yield Buffer.from('jello')
    }
    await expect(store.write(blobOf(small), unverified(), options(5))).rejects.toMatchObject({
      code: 'unavailable',
      cause: { name: 'BadDigest' },
    })
    expect(aws.objects.size).toBe(0)
  })

  test('that is longer than announced uses only the announced memory, and stores nothing', async () => {
    async function* endless() {
      for (let sent = 0; sent < 64; sent += 1) yield Buffer.alloc(MIB)
      throw new Error('the verdict of the stream')
    }
    await expect(store.write(blobOf(small), endless(), options(5))).rejects.toThrow(
      'the verdict of the stream',
    )
    expect(aws.calls).toEqual([])
  })

  test('whose name is taken leaves the existing object', async () => {
    await store.write(blobOf(small), verified(small), options(5))
    const taken = aws.objects.get(keyOf(blobOf(small)))
    expect(await store.write(blobOf(small), verified(small), options(5))).toBe('exists')
    expect(aws.objects.get(keyOf(blobOf(small)))).toBe(taken)
  })

  test('that meets a simultaneous writer is sent again', async () => {
    aws.misbehave('PutObject', { status: 409, code: 'ConditionalRequestConflict' }, 2)
    expect(await store.write(blobOf(small), verified(small), options(5))).toBe('written')
    expect(aws.operations()).toEqual(['PutObject', 'PutObject', 'PutObject'])
  })

  test('that always meets a simultaneous writer fails', async () => {
    aws.misbehave('PutObject', { status: 409, code: 'ConditionalRequestConflict' })
    await expect(store.write(blobOf(small), verified(small), options(5))).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(aws.calls).toHaveLength(4)
  })

  test('whose response is lost is found by the retry, and attested', async () => {
    aws.misbehave('PutObject', 'lose-answer', 1)
    expect(await store.write(blobOf(small), verified(small), options(5))).toBe('exists')
    expect(await store.inspect(blobOf(small))).toMatchObject({ attested: true })
  })
})

describe.each([
  ['of known size', large.byteLength],
  ['of unknown size', undefined],
])('a large blob %s', (_, size) => {
  test('is uploaded create-only in parts that S3 hashes, and is attested by its metadata', async () => {
    expect(await store.write(LARGE, verified(large, LARGE.digest), options(size))).toBe('written')
    expect(aws.operations().sort()).toEqual([
      'CompleteMultipartUpload',
      'CreateMultipartUpload',
      'UploadPart',
      'UploadPart',
    ])
    for (const call of aws.calls.filter(({ operation }) => operation === 'UploadPart'))
      expect(call.headers['x-amz-checksum-sha256']).toMatch(/^[A-Za-z0-9+/]{43}=$/)
    const complete = aws.calls.find(({ operation }) => operation === 'CompleteMultipartUpload')
    expect(complete?.headers['if-none-match']).toBe('*')
    const object = aws.objects.get(keyOf(LARGE))
    expect(object?.bytes.equals(large)).toBe(true)
    expect(object?.sha256?.type).toBe('COMPOSITE')
    expect(await store.inspect(LARGE)).toEqual({
      found: true,
      size: large.byteLength,
      attested: true,
    })
  })

  test('whose last byte is wrong is never completed, and its parts are dropped', async () => {
    const wrong = Buffer.from(large)
    wrong[wrong.byteLength - 1] = (wrong.at(-1) ?? 0) ^ 1
    const bytes = verified(wrong, LARGE.digest)
    await expect(store.write(LARGE, bytes, options(size))).rejects.toMatchObject({
      code: 'digest_mismatch',
    })
    expect(aws.operations()).not.toContain('CompleteMultipartUpload')
    expect(aws.objects.size).toBe(0)
    expect(aws.openUploads.size).toBe(0)
  })

  test('whose sender disconnects fails with that error, and its parts are dropped', async () => {
    const gone = new Error('the sender went away')
    async function* broken() {
      yield large.subarray(0, 9 * MIB)
      throw gone
    }
    await expect(store.write(LARGE, broken(), options(size))).rejects.toBe(gone)
    expect(aws.objects.size).toBe(0)
    expect(aws.openUploads.size).toBe(0)
  })

  test('fails with the error of its stream even if dropping the parts fails too', async () => {
    aws.misbehave('AbortMultipartUpload', { status: 403, code: 'AccessDenied' })
    const gone = new Error('the sender went away')
    async function* broken() {
      yield large.subarray(0, 9 * MIB)
      throw gone
    }
    await expect(store.write(LARGE, broken(), options(size))).rejects.toBe(gone)
    expect(aws.objects.size).toBe(0)
  })

  test('is aborted with its request, without waiting for a stalled stream', async () => {
    const request = new AbortController()
    async function* stalled() {
      yield large.subarray(0, 9 * MIB)
      request.abort()
      await new Promise(() => {})
    }
    const write = store.write(LARGE, stalled(), options(size, request.signal))
    await expect(write).rejects.toMatchObject({ name: 'AbortError' })
    expect(aws.openUploads.size).toBe(0)
  })

  test('whose name is taken leaves the existing object, and drops its parts', async () => {
    await store.write(LARGE, verified(large, LARGE.digest), options(size))
    const taken = aws.objects.get(keyOf(LARGE))
    expect(await store.write(LARGE, verified(large, LARGE.digest), options(size))).toBe('exists')
    expect(aws.objects.get(keyOf(LARGE))).toBe(taken)
    expect(aws.openUploads.size).toBe(0)
  })

  test('that meets a simultaneous writer at the end relies on it only if its blob exists', async () => {
    aws.misbehave('CompleteMultipartUpload', { status: 409, code: 'ConditionalRequestConflict' }, 1)
    await expect(store.write(LARGE, verified(large, LARGE.digest), options(size))).rejects.toMatchObject({
      code: 'unavailable',
    })
    await store.write(LARGE, verified(large, LARGE.digest), options(size))
    aws.misbehave('CompleteMultipartUpload', { status: 409, code: 'ConditionalRequestConflict' }, 1)
    expect(await store.write(LARGE, verified(large, LARGE.digest), options(size))).toBe('exists')
  })

  test('whose name turns out to be taken inside of a 200 leaves the object, and asks once', async () => {
    aws.misbehave('CompleteMultipartUpload', { status: 200, code: 'PreconditionFailed' })
    expect(await store.write(LARGE, verified(large, LARGE.digest), options(size))).toBe('exists')
    expect(aws.operations().filter((operation) => operation === 'CompleteMultipartUpload')).toHaveLength(1)
    expect(aws.openUploads.size).toBe(0)
  })

  test('whose completion gets no response is found by the retry', async () => {
    aws.misbehave('CompleteMultipartUpload', 'lose-answer', 1)
    expect(await store.write(LARGE, verified(large, LARGE.digest), options(size))).toBe('exists')
    expect(await store.inspect(LARGE)).toMatchObject({ found: true, attested: true })
  })

  test.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'] as const)(
    'of which %s fails is unavailable, and nothing is visible',
    async (operation) => {
      aws.misbehave(operation, { status: 500, code: 'InternalError' })
      await expect(store.write(LARGE, verified(large, LARGE.digest), options(size))).rejects.toMatchObject({
        code: 'unavailable',
      })
      expect(aws.objects.size).toBe(0)
    },
  )
})

test('a small blob of unknown size is also one PUT, hashed by S3 and attested by its metadata', async () => {
  expect(await store.write(blobOf(small), verified(small), options(undefined))).toBe('written')
  expect(aws.operations()).toEqual(['PutObject'])
  expect(await store.inspect(blobOf(small))).toEqual({ found: true, size: 5, attested: true })
})

test('the smallest blob that is uploaded in parts', async () => {
  const bytes = noise(ONE_PUT_BYTES)
  expect(await store.write(blobOf(bytes), verified(bytes), options(bytes.byteLength))).toBe('written')
  expect(aws.objects.get(keyOf(blobOf(bytes)))?.bytes.equals(bytes)).toBe(true)
})

test('memory stays bounded, because only the parts in transfer are read', async () => {
  let taken = 0
  async function* counted() {
    for (;;) {
      taken += MIB
      yield Buffer.alloc(MIB)
    }
  }
  aws.misbehave('UploadPart', { status: 500, code: 'InternalError' })
  await expect(store.write(LARGE, counted(), options(5 * GIB))).rejects.toMatchObject({
    code: 'unavailable',
  })
  // Four parts of 8 MiB under way, a fifth being filled, and what the pipe holds.
  expect(taken).toBeLessThanOrEqual(6 * 8 * MIB)
})

test.each([
  [1, 8 * MIB],
  [5 * GIB, 8 * MIB],
  [78 * GIB, 8 * MIB],
  [5 * 1024 * GIB, 525 * MIB],
])('%d bytes fit into 10,000 parts', (bytes, expected) => {
  expect(uploadPartSize(bytes)).toBe(expected)
  expect(Math.ceil(bytes / uploadPartSize(bytes))).toBeLessThanOrEqual(10_000)
})
