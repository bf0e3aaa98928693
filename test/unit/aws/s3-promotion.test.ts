/** Staged bytes get their final name inside S3: pinned, with their digest in the metadata, create-only, and only when published. */
import { describe, expect, test } from 'vitest'
import { copyBytes } from '../../../lib/aws/s3-promotion.ts'
import { digestHex } from '../../../lib/domain/digest.ts'
import { DEPLOYED_MAX_ARTIFACT_BYTES, GIB, MIB } from '../../../lib/domain/limits.ts'
import { described } from '../../support/described.ts'
import { noise } from './fixtures.ts'
import { useStaging } from './staged.ts'

const stand = useStaging()
const bytes = noise(64 * MIB + 5)
const callsOf = (operation: string) => stand.aws.calls.filter((call) => call.operation === operation)
const promoted = async (through: 'staging' | 'impatient' = 'staging') => {
  const { upload, staged } = await stand.opened(bytes, through)
  return {
    upload,
    promotion: await staged.promote(upload.id, described({ contentType: 'application/x-tar' })),
  }
}
const blobKey = (digest: string) => `/blobs/blobs/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digest}`

test('the copies are ranges of the pinned object, and their source is encoded', async () => {
  const { promotion } = await promoted()
  await promotion.publish()
  const copies = callsOf('UploadPartCopy')
  expect(copies.map(({ headers }) => headers['x-amz-copy-source-range']).sort()).toEqual([
    `bytes=0-${64 * MIB - 1}`,
    `bytes=${64 * MIB}-${64 * MIB + 4}`,
  ])
  for (const { headers } of copies) {
    expect(headers['x-amz-copy-source-if-match']).toMatch(/^".+"$/)
    expect(headers['x-amz-copy-source']).toMatch(
      /^staging\/uploads\/prod-models\/llama_3\.8b%2Blora%3Ax\/v3\.1\.0%2Ba\//,
    )
  }
})

test('the blob names its digest in its metadata and is completed create-only', async () => {
  const { upload, promotion } = await promoted()
  const [begun] = callsOf('CreateMultipartUpload')
  expect(begun?.path).toBe(blobKey(digestHex(upload.id.digest)))
  expect(begun?.headers).toMatchObject({ 'x-amz-meta-bucket-sha256': digestHex(upload.id.digest) })
  expect(begun?.headers['content-type']).toBe('application/x-tar')
  // versitygw and MinIO refuse copied parts in an upload with a checksum algorithm.
  expect(begun?.headers).not.toHaveProperty('x-amz-checksum-algorithm')
  expect(await promotion.publish()).toBe('written')
  expect(callsOf('CompleteMultipartUpload').map(({ headers }) => headers['if-none-match'])).toEqual(['*'])
  expect(await stand.blobs.inspect(upload.id)).toEqual({
    found: true,
    size: bytes.byteLength,
    attested: true,
  })
})

test('no byte of a promotion passes through this process', async () => {
  const { promotion } = await promoted()
  await promotion.publish()
  expect(callsOf('GetObject')).toEqual([])
})

test('no object has the final name before it is published', async () => {
  const { upload, promotion } = await promoted()
  await expect.poll(() => callsOf('UploadPartCopy').length).toBe(2)
  expect(await stand.blobs.inspect(upload.id)).toEqual({ found: false })
  await promotion.abandon()
  expect(await stand.blobs.inspect(upload.id)).toEqual({ found: false })
  expect(stand.aws.openUploads.size).toBe(0)
})

describe('waiting for the copies', () => {
  const never = () => Promise.resolve()
  const hanging = async () => {
    const { upload, staged } = await stand.opened(bytes)
    stand.aws.misbehave('UploadPartCopy', 'stall')
    return staged.promote(upload.id, described())
  }

  test('ends after the last copy, before the blob has its name', async () => {
    const { upload, promotion } = await promoted()
    await promotion.waitForCopies(never)
    expect(callsOf('UploadPartCopy')).toHaveLength(2)
    expect(await stand.blobs.inspect(upload.id)).toEqual({ found: false })
    expect(await promotion.publish()).toBe('written')
  })

  test('lets the caller keep its lease, and ends when the lease is lost', async () => {
    const promotion = await hanging()
    const lost = new Error('the lease is lost')
    let kept = 0
    const keep = async () => {
      kept += 1
      if (kept === 2) throw lost
    }
    await expect(promotion.waitForCopies(keep)).rejects.toBe(lost)
    await promotion.abandon()
    expect(stand.aws.openUploads.size).toBe(0)
  })

  test('ends with the reason of the signal', async () => {
    const promotion = await hanging()
    const stop = new AbortController()
    const copied = promotion.waitForCopies(never, stop.signal)
    stop.abort(new Error('the time is over'))
    await expect(copied).rejects.toThrow('the time is over')
    await promotion.abandon()
  })

  test('is unavailable if a copy is refused', async () => {
    const { upload, staged } = await stand.opened(bytes)
    stand.aws.misbehave('UploadPartCopy', { status: 403, code: 'AccessDenied' })
    const promotion = await staged.promote(upload.id, described())
    await expect(promotion.waitForCopies(never)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('publishing', () => {
  test('ends when Complete gets no response in its time, without a second call', async () => {
    const { promotion } = await promoted('impatient')
    await promotion.waitForCopies(async () => {})
    stand.aws.misbehave('CompleteMultipartUpload', 'stall')
    await expect(promotion.publish()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('took too long'),
    })
    expect(callsOf('CompleteMultipartUpload')).toHaveLength(1)
  })

  test('ends with the reason of the signal', async () => {
    const { promotion } = await promoted()
    stand.aws.misbehave('CompleteMultipartUpload', 'stall')
    const stop = new AbortController()
    const published = promotion.publish(stop.signal)
    await expect.poll(() => callsOf('CompleteMultipartUpload').length).toBe(1)
    stop.abort(new Error('the time is over'))
    await expect(published).rejects.toThrow('the time is over')
    await promotion.abandon()
    expect(stand.aws.openUploads.size).toBe(0)
  })

  test('gets no more time for a restart', async () => {
    const { promotion } = await promoted('impatient')
    await promotion.waitForCopies(async () => {})
    stand.aws.misbehave('CompleteMultipartUpload', { status: 409, code: 'ConditionalRequestConflict' }, 1)
    stand.aws.misbehave('UploadPartCopy', 'stall')
    await expect(promotion.publish()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('took too long'),
    })
    // The two copies of each start. The client would repeat a copy after five seconds, but all of it has three.
    expect(callsOf('UploadPartCopy')).toHaveLength(4)
    await promotion.abandon()
    expect(stand.aws.openUploads.size).toBe(0)
  })

  test.each([412, 200])('leaves an existing object (%i) and removes the copies', async (status) => {
    const { promotion } = await promoted()
    stand.aws.misbehave('CompleteMultipartUpload', { status, code: 'PreconditionFailed' })
    expect(await promotion.publish()).toBe('exists')
    expect(callsOf('CompleteMultipartUpload')).toHaveLength(1)
    expect(stand.aws.openUploads.size).toBe(0)
  })

  test.each([409, 200])('restarts after a simultaneous writer (%i)', async (status) => {
    const { upload, promotion } = await promoted()
    stand.aws.misbehave('CompleteMultipartUpload', { status, code: 'ConditionalRequestConflict' }, 1)
    expect(await promotion.publish()).toBe('written')
    expect(callsOf('CreateMultipartUpload')).toHaveLength(2)
    expect(stand.aws.openUploads.size).toBe(0)
    expect(await stand.blobs.inspect(upload.id)).toMatchObject({ found: true, attested: true })
  })

  test.each([409, 200])('is unavailable if there is always a simultaneous writer (%i)', async (status) => {
    const { promotion } = await promoted()
    stand.aws.misbehave('CompleteMultipartUpload', { status, code: 'ConditionalRequestConflict' })
    await expect(promotion.publish()).rejects.toMatchObject({ code: 'unavailable' })
    expect(callsOf('CreateMultipartUpload')).toHaveLength(3)
    expect(stand.aws.openUploads.size).toBe(0)
  })

  test('finds the blob if the response to Complete was lost', async () => {
    const { upload, promotion } = await promoted()
    stand.aws.misbehave('CompleteMultipartUpload', 'lose-answer', 1)
    expect(await promotion.publish()).toBe('exists')
    expect(await stand.blobs.inspect(upload.id)).toMatchObject({ found: true, attested: true })
  })

  test('is unavailable if the copies are gone and no object has the name', async () => {
    const { promotion } = await promoted()
    stand.aws.misbehave('CompleteMultipartUpload', { status: 404, code: 'NoSuchUpload' })
    await expect(promotion.publish()).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('is unavailable if S3 fails inside a 200', async () => {
    const { upload, promotion } = await promoted()
    stand.aws.misbehave('CompleteMultipartUpload', { status: 200, code: 'InternalError' })
    await expect(promotion.publish()).rejects.toMatchObject({ code: 'unavailable' })
    expect(await stand.blobs.inspect(upload.id)).toEqual({ found: false })
  })

  test.each([
    ['a refused copy', { status: 403, code: 'AccessDenied' }],
    ['a replaced source', { status: 412, code: 'PreconditionFailed' }],
    ['a copy that fails inside a 200', { status: 200, code: 'InternalError' }],
  ])('is unavailable after %s, and no object has the name', async (_, how) => {
    const { upload, staged } = await stand.opened(bytes)
    stand.aws.misbehave('UploadPartCopy', how)
    const promotion = await staged.promote(upload.id, described())
    await expect(promotion.publish()).rejects.toMatchObject({ code: 'unavailable' })
    expect(callsOf('CompleteMultipartUpload')).toEqual([])
    await promotion.abandon()
    expect(stand.aws.openUploads.size).toBe(0)
  })
})

describe('abandoning', () => {
  test('succeeds again after it succeeded', async () => {
    const { promotion } = await promoted()
    await promotion.abandon()
    await promotion.abandon()
  })

  test('stops copies that hang', async () => {
    const { upload, staged } = await stand.opened(bytes)
    stand.aws.misbehave('UploadPartCopy', 'stall')
    const promotion = await staged.promote(upload.id, described())
    await promotion.abandon()
    expect(stand.aws.openUploads.size).toBe(0)
  })
})

test('copies keep the limits of S3: 5 MiB to 5 GiB, and at most 10,000 of them', () => {
  for (const size of [1, 64 * MIB, 5 * GIB, DEPLOYED_MAX_ARTIFACT_BYTES, 40_000 * GIB]) {
    expect(copyBytes(size)).toBeGreaterThanOrEqual(5 * MIB)
    expect(copyBytes(size)).toBeLessThanOrEqual(5 * GIB)
    expect(Math.ceil(size / copyBytes(size))).toBeLessThanOrEqual(10_000)
  }
})
