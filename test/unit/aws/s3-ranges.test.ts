/** Staged bytes are read by several ranges at once, in order, as one version of one object, within bounded memory. */
import { describe, expect, test } from 'vitest'
import { RANGE_BYTES, RANGES_AT_ONCE } from '../../../lib/aws/s3-ranges.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { collect, noise } from './fixtures.ts'
import { useStaging } from './staged.ts'

const stand = useStaging()
const bytes = noise(6 * RANGE_BYTES + 12_345)
const few = bytes.subarray(0, 2 * RANGE_BYTES + 12_345)
const gets = () => stand.aws.calls.filter(({ operation }) => operation === 'GetObject')

test('all bytes come in order, every range pinned to the object that was opened', async () => {
  const { staged } = await stand.opened(bytes)
  expect((await collect(staged.read(undefined))).equals(bytes)).toBe(true)
  const tags = new Set(gets().map(({ headers }) => headers['if-match']))
  expect(tags.size).toBe(1)
  expect([...tags][0]).toMatch(/^".+"$/)
  expect(gets()).toHaveLength(7)
})

test('no more ranges are requested than may be in memory, however slow the reader', async () => {
  const { staged } = await stand.opened(bytes)
  const reader = staged.read(undefined)[Symbol.asyncIterator]()
  await reader.next()
  await expect.poll(() => gets().length).toBe(RANGES_AT_ONCE + 1)
  expect(RANGES_AT_ONCE * RANGE_BYTES).toBeLessThanOrEqual(32 * MIB)
  await reader.return?.(undefined)
})

describe('a range that breaks', () => {
  test.each([
    ['is cut', 'cut' as const],
    ['is refused with 503', { status: 503, code: 'SlowDown' }],
    ['gets no connection', 'drop' as const],
  ])('because it %s is fetched again, and the bytes are exact', async (_, how) => {
    const { staged } = await stand.opened(few)
    stand.aws.misbehave('GetObject', how, 2)
    expect((await collect(staged.read(undefined))).equals(few)).toBe(true)
  })

  test('repeatedly ends as unavailable', async () => {
    const { staged } = await stand.opened(few)
    stand.aws.misbehave('GetObject', 'cut')
    await expect(collect(staged.read(undefined))).rejects.toMatchObject({ code: 'unavailable' })
  })
})

test('an object that was replaced is an error at once, never other bytes', async () => {
  const { staged } = await stand.opened(bytes)
  for (const object of stand.aws.objects.values()) object.etag = '"another"'
  await expect(collect(staged.read(undefined))).rejects.toMatchObject({ code: 'unavailable' })
  expect(gets().length).toBeLessThanOrEqual(RANGES_AT_ONCE)
})

test('a missing object is an error at once, because a retry cannot help', async () => {
  const { staged } = await stand.opened(bytes)
  stand.aws.objects.clear()
  await expect(collect(staged.read(undefined))).rejects.toMatchObject({ code: 'unavailable' })
  expect(gets().length).toBeLessThanOrEqual(RANGES_AT_ONCE)
})

test('an abort ends a read that hangs, with its own reason', async () => {
  const { staged } = await stand.opened(bytes)
  stand.aws.misbehave('GetObject', 'pause')
  const stop = new AbortController()
  const read = collect(staged.read(stop.signal))
  await expect.poll(() => gets().length).toBe(RANGES_AT_ONCE)
  stop.abort(new Error('the time is over'))
  await expect(read).rejects.toThrow('the time is over')
})

test('a reader that stops leaves no request in progress', async () => {
  const { staged } = await stand.opened(bytes)
  stand.aws.misbehave('GetObject', 'pause', RANGES_AT_ONCE)
  const reader = staged.read(undefined)[Symbol.asyncIterator]()
  const first = reader.next().catch(() => 'given up')
  await expect.poll(() => gets().length).toBe(RANGES_AT_ONCE)
  stand.aws.misbehave('GetObject', 'drop')
  await first
  await expect.poll(() => stand.aws.openAnswers()).toBe(0)
})
