/** Parts on their way through the staging S3 bucket: what each call of S3 asks for, and what each refusal means. */
import { describe, expect, test } from 'vitest'
import { digestHex } from '../../../lib/domain/digest.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { noise } from './fixtures.ts'
import { hexOf, partsOf, useStaging } from './staged.ts'

const stand = useStaging()
const small = Buffer.from('hello')
const twoParts = noise(16 * MIB + 5)
const callsOf = (operation: string) => stand.aws.calls.filter((call) => call.operation === operation)

test('an upload starts as a multipart upload with SHA-256, under a key of its attempt', async () => {
  const upload = await stand.sent(small)
  const [call] = callsOf('CreateMultipartUpload')
  expect(call?.path).toBe(
    `/staging/uploads/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digestHex(upload.id.digest)}/${upload.attempt}`,
  )
  expect(call?.headers['x-amz-checksum-algorithm']).toBe('SHA256')
})

/** The write side lists with its S3 client, the read function without one: both must see the same. */
describe.each(['staging', 'view'] as const)('the list of parts through the %s', (side) => {
  const partsFrom: typeof stand.staging.parts = (upload) => stand[side].parts(upload)

  test.each(['&quot;', '&#34;'] as const)(
    'has the SHA-256 that S3 checked, over all pages, with quotes escaped as %s',
    async (escapedQuote) => {
      const upload = await stand.sent(twoParts)
      stand.aws.s3.partsPerPage = 1
      stand.aws.s3.escapedQuote = escapedQuote
      const listed = partsOf(twoParts).map(({ number, size, sha256 }) => ({ number, size, sha256 }))
      expect(await partsFrom(upload)).toMatchObject(listed)
      expect(callsOf('ListParts')).toHaveLength(2)
    },
  )

  test('is empty while no part has arrived', async () => {
    const upload = await stand.sent(Buffer.alloc(0))
    expect(await partsFrom(upload)).toEqual([])
  })

  test('is undefined once the multipart upload is gone', async () => {
    const upload = await stand.sent(small)
    await stand.staging.drop(upload)
    expect(await partsFrom(upload)).toBeUndefined()
  })

  test.each([
    ['a 503', { status: 503, code: 'SlowDown' }],
    ['a cut connection', 'drop' as const],
    ['half a response', 'cut' as const],
  ])('is requested again after %s', async (_, how) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('ListParts', how, 1)
    expect(await partsFrom(upload)).toHaveLength(1)
  })

  test.each([
    ['403', { status: 403, code: 'AccessDenied' }],
    ['404 NoSuchBucket', { status: 404, code: 'NoSuchBucket' }],
    ['500', { status: 500, code: 'InternalError' }],
    ['cut connections', 'drop' as const],
  ])('is unavailable, never empty, if S3 answers with nothing but %s', async (_, how) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('ListParts', how)
    await expect(partsFrom(upload)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('is requested once if S3 refuses the call', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('ListParts', { status: 403, code: 'AccessDenied' })
    await partsFrom(upload).catch(() => {})
    expect(callsOf('ListParts')).toHaveLength(1)
  })
})

describe('completing', () => {
  test('puts all parts under the key of the attempt', async () => {
    const upload = await stand.sent(twoParts)
    expect(await stand.staging.complete(upload, partsOf(twoParts))).toBe('complete')
    const [object] = [...stand.aws.objects.values()]
    expect(hexOf(object?.bytes ?? Buffer.alloc(0))).toBe(digestHex(upload.id.digest))
  })

  test('succeeds if the upload is completed already', async () => {
    const upload = await stand.sent(small)
    await stand.staging.complete(upload, partsOf(small))
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('complete')
  })

  test('succeeds if the response of the first attempt was lost', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', 'lose-answer', 1)
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('complete')
  })

  test.each(['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'])(
    'is incomplete if S3 refuses with %s',
    async (code) => {
      const upload = await stand.sent(small)
      stand.aws.misbehave('CompleteMultipartUpload', { status: 400, code })
      expect(await stand.staging.complete(upload, partsOf(small))).toBe('incomplete')
    },
  )

  test('does not succeed if S3 fails inside a 200', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', { status: 200, code: 'InternalError' })
    await expect(stand.staging.complete(upload, partsOf(small))).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  test('is incomplete, after one call, if S3 refuses the parts inside a 200', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', { status: 200, code: 'InvalidPart' })
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('incomplete')
    expect(callsOf('CompleteMultipartUpload')).toHaveLength(1)
  })

  test.each([
    ['500', { status: 500, code: 'InternalError' }],
    ['403', { status: 403, code: 'AccessDenied' }],
    ['no response', 'stall' as const],
  ])('has an unknown outcome after %s', async (_, how) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', how)
    await expect(stand.impatient.complete(upload, partsOf(small))).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  test('sends no second call while a slow first one is in progress', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', 'stall')
    await stand.impatient.complete(upload, partsOf(small)).catch(() => {})
    expect(callsOf('CompleteMultipartUpload')).toHaveLength(1)
  })

  test('is incomplete, without a call to complete, if other parts have arrived', async () => {
    const upload = await stand.sent(small)
    const others = partsOf(small).map((part) => ({ ...part, sha256: '0'.repeat(64) }))
    expect(await stand.staging.complete(upload, others)).toBe('incomplete')
    expect(callsOf('CompleteMultipartUpload')).toEqual([])
  })

  test('is incomplete if the upload was dropped', async () => {
    const upload = await stand.sent(small)
    await stand.staging.drop(upload)
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('incomplete')
  })
})

describe('opening', () => {
  test('returns undefined if the upload is not completed', async () => {
    expect(await stand.staging.open(await stand.sent(small))).toBeUndefined()
  })

  test.each([403, 500])('is unavailable, never "not there", after %d', async (status) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('HeadObject', { status, code: 'Any' })
    await expect(stand.staging.open(upload)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('dropping', () => {
  test('removes the parts first, then the completed object', async () => {
    const { upload } = await stand.opened(small)
    await stand.staging.drop(upload)
    expect(stand.aws.operations()).toEqual(['AbortMultipartUpload', 'DeleteObject'])
    expect(stand.aws.objects.size).toBe(0)
    expect(stand.aws.openUploads.size).toBe(0)
  })

  test.each(['AbortMultipartUpload', 'DeleteObject'] as const)(
    'is unavailable if %s fails',
    async (operation) => {
      const { upload } = await stand.opened(small)
      stand.aws.misbehave(operation, { status: 403, code: 'AccessDenied' })
      await expect(stand.staging.drop(upload)).rejects.toMatchObject({ code: 'unavailable' })
    },
  )
})
