/** Parts on their way through the staging S3 bucket: what each call of S3 says, and what each refusal means. */
import { describe, expect, test } from 'vitest'
import { digestHex } from '../../../lib/domain/digest.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { noise } from './fixtures.ts'
import { hexOf, partsOf, useStaging } from './staged.ts'

const stand = useStaging()
const small = Buffer.from('hello')
const twoParts = noise(16 * MIB + 5)
const callsOf = (operation: string) => stand.aws.calls.filter((call) => call.operation === operation)

test('an upload begins as a multipart upload with SHA-256, under a key of its attempt, in the staging S3 bucket', async () => {
  const upload = await stand.sent(small)
  const [call] = callsOf('CreateMultipartUpload')
  expect(call?.path).toBe(
    `/staging/uploads/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digestHex(upload.id.digest)}/${upload.attempt}`,
  )
  expect(call?.headers['x-amz-checksum-algorithm']).toBe('SHA256')
})

describe('the list of parts', () => {
  test('has the SHA-256 that S3 checked, over as many pages as there are', async () => {
    const upload = await stand.sent(twoParts)
    stand.aws.partsPerPage = 1
    const listed = partsOf(twoParts).map(({ number, size, sha256 }) => ({ number, size, sha256 }))
    expect(await stand.staging.parts(upload)).toEqual(listed)
    expect(callsOf('ListParts')).toHaveLength(2)
  })

  test('of a place that is gone is none', async () => {
    const upload = await stand.sent(small)
    await stand.staging.drop(upload)
    expect(await stand.staging.parts(upload)).toBeUndefined()
  })

  test.each([
    ['503', { status: 503, code: 'SlowDown' }],
    ['a cut connection', 'drop' as const],
    ['half an answer', 'cut' as const],
  ])('is asked for again after %s', async (_, how) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('ListParts', how, 2)
    expect(await stand.staging.parts(upload)).toHaveLength(1)
  })

  test.each([
    ['403', { status: 403, code: 'AccessDenied' }],
    ['500', { status: 500, code: 'InternalError' }],
    ['a cut connection', 'drop' as const],
  ])('is unavailable, never empty, after nothing but %s', async (_, how) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('ListParts', how)
    await expect(stand.staging.parts(upload)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('of an S3 bucket that is missing is a fault, not "no such upload"', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('ListParts', { status: 404, code: 'NoSuchBucket' })
    await expect(stand.staging.parts(upload)).rejects.toThrow('does not exist')
  })
})

describe('joining', () => {
  test('puts all parts under the key of the attempt', async () => {
    const upload = await stand.sent(twoParts)
    expect(await stand.staging.complete(upload, partsOf(twoParts))).toBe('complete')
    const [object] = [...stand.aws.objects.values()]
    expect(hexOf(object?.bytes ?? Buffer.alloc(0))).toBe(digestHex(upload.id.digest))
  })

  test('of what is joined already is done', async () => {
    const upload = await stand.sent(small)
    await stand.staging.complete(upload, partsOf(small))
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('complete')
  })

  test('whose answer was lost is done: the object of this attempt is there', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', 'lose-answer', 1)
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('complete')
  })

  test.each(['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'])(
    'refused with %s is incomplete',
    async (code) => {
      const upload = await stand.sent(small)
      stand.aws.misbehave('CompleteMultipartUpload', { status: 400, code })
      expect(await stand.staging.complete(upload, partsOf(small))).toBe('incomplete')
    },
  )

  test('that fails inside of a 200 is no success', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', { status: 200, code: 'InternalError' })
    await expect(stand.staging.complete(upload, partsOf(small))).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  test('refused inside of a 200 is incomplete', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', { status: 200, code: 'InvalidPart' })
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('incomplete')
    expect(
      stand.aws.operations().filter((operation) => operation === 'CompleteMultipartUpload'),
    ).toHaveLength(1)
  })

  test.each([
    ['500', { status: 500, code: 'InternalError' }],
    ['403', { status: 403, code: 'AccessDenied' }],
    ['no answer', 'stall' as const],
  ])('with %s has an unknown outcome', async (_, how) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', how)
    await expect(stand.staging.complete(upload, partsOf(small))).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  test('that takes its time is not tried a second time beside the first', async () => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('CompleteMultipartUpload', 'stall')
    await stand.staging.complete(upload, partsOf(small)).catch(() => {})
    expect(callsOf('CompleteMultipartUpload')).toHaveLength(1)
  })

  test('of parts that are not the ones that came is incomplete, and asks S3 for nothing', async () => {
    const upload = await stand.sent(small)
    const others = partsOf(small).map((part) => ({ ...part, sha256: '0'.repeat(64) }))
    expect(await stand.staging.complete(upload, others)).toBe('incomplete')
    expect(callsOf('CompleteMultipartUpload')).toEqual([])
  })

  test('of what was dropped is incomplete', async () => {
    const upload = await stand.sent(small)
    await stand.staging.drop(upload)
    expect(await stand.staging.complete(upload, partsOf(small))).toBe('incomplete')
  })
})

describe('opening', () => {
  test('what is not joined gives nothing', async () => {
    expect(await stand.staging.open(await stand.sent(small))).toBeUndefined()
  })

  test.each([403, 500])('with %d is unavailable, never "not there"', async (status) => {
    const upload = await stand.sent(small)
    stand.aws.misbehave('HeadObject', { status, code: 'Any' })
    await expect(stand.staging.open(upload)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('dropping', () => {
  test('removes parts first, then what they were joined to', async () => {
    const { upload } = await stand.opened(small)
    await stand.staging.drop(upload)
    expect(stand.aws.operations()).toEqual(['AbortMultipartUpload', 'DeleteObject'])
    expect(stand.aws.objects.size).toBe(0)
    expect(stand.aws.openUploads.size).toBe(0)
  })

  test.each(['AbortMultipartUpload', 'DeleteObject'] as const)(
    'that fails at %s is unavailable',
    async (operation) => {
      const { upload } = await stand.opened(small)
      stand.aws.misbehave(operation, { status: 403, code: 'AccessDenied' })
      await expect(stand.staging.drop(upload)).rejects.toMatchObject({ code: 'unavailable' })
    },
  )
})
