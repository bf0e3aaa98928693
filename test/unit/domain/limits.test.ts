/** The arithmetic of parts: every byte is in exactly one part, and no store's limits are exceeded (docs/http-api.md, section 7). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  defaultMode,
  GIB,
  MAX_SINGLE_BYTES,
  MIB,
  partCount,
  partSize,
  sizeOfPart,
} from '../../../lib/domain/limits.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const S3 = { maxParts: 10_000, minPartBytes: 5 * MIB, maxPartBytes: 5 * GIB, maxObjectBytes: 5 * 1024 * GIB }

/** The largest artifact whose parts are of the smallest size. */
const SMALLEST_PARTS_UP_TO = 9_000 * 16 * MIB

const EDGES = [
  1,
  16 * MIB - 1,
  16 * MIB,
  16 * MIB + 1,
  64 * MIB,
  64 * MIB + 1,
  5 * GIB - 1,
  5 * GIB,
  5 * GIB + 1,
  SMALLEST_PARTS_UP_TO - 1,
  SMALLEST_PARTS_UP_TO,
  SMALLEST_PARTS_UP_TO + 1,
  10_000 * 16 * MIB,
  10_000 * 16 * MIB + 1,
  S3.maxObjectBytes,
]

function expectSound(size: number): void {
  const [full, count] = [partSize(size), partCount(size)]
  expect(full % MIB).toBe(0)
  expect(full).toBeGreaterThanOrEqual(16 * MIB)
  expect(full).toBeGreaterThanOrEqual(S3.minPartBytes)
  expect(full).toBeLessThanOrEqual(S3.maxPartBytes)
  expect(count).toBeGreaterThanOrEqual(1)
  expect(count).toBeLessThanOrEqual(9_000)
  expect(count).toBeLessThanOrEqual(S3.maxParts)
  const last = sizeOfPart(size, count)
  expect(last).toBeGreaterThanOrEqual(1)
  expect(last).toBeLessThanOrEqual(full)
  if (count > 1) expect(sizeOfPart(size, 1)).toBe(full)
  if (count > 1) expect(sizeOfPart(size, count - 1)).toBe(full)
  expect((count - 1) * full + last).toBe(size)
}

describe('parts', () => {
  it.each(EDGES)('of %i bytes contain every byte once, within the limits of S3', expectSound)

  it('of any size contain every byte once, within the limits of S3', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: S3.maxObjectBytes }), expectSound))
  })

  it('around a multiple of the part size contain every byte once', () => {
    const around = fc.tuple(fc.integer({ min: 1, max: 12_000 }), fc.integer({ min: -2, max: 2 }))
    const sizes = around.map(([parts, off]) => Math.max(1, parts * 16 * MIB + off))
    fc.assert(fc.property(sizes, expectSound))
  })

  it('never become smaller as the artifact grows', () => {
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: S3.maxObjectBytes }),
      fc.integer({ min: 0, max: 10 * GIB }),
    )
    fc.assert(
      fc.property(sizes, ([size, more]) => {
        expect(partSize(size + more)).toBeGreaterThanOrEqual(partSize(size))
      }),
    )
  })

  it('are 16 MiB up to 9,000 of them, and larger beyond', () => {
    expect([partSize(1), partCount(1), sizeOfPart(1, 1)]).toEqual([16 * MIB, 1, 1])
    expect([partCount(16 * MIB), partCount(16 * MIB + 1)]).toEqual([1, 2])
    expect(sizeOfPart(16 * MIB + 1, 2)).toBe(1)
    expect([partSize(5 * GIB), partCount(5 * GIB)]).toEqual([16 * MIB, 320])
    expect([partCount(5 * GIB + 1), sizeOfPart(5 * GIB + 1, 321)]).toEqual([321, 1])
    expect([partSize(SMALLEST_PARTS_UP_TO), partCount(SMALLEST_PARTS_UP_TO)]).toEqual([16 * MIB, 9_000])
    expect(partSize(SMALLEST_PARTS_UP_TO + 1)).toBe(17 * MIB)
  })

  it('do not exist for zero bytes, because such an upload is always single', () => {
    expect(partCount(0)).toBe(0)
  })
})

describe('the mode that the service chooses', () => {
  it.each([
    [0, 'single'],
    [1, 'single'],
    [64 * MIB, 'single'],
    [64 * MIB + 1, 'multipart'],
    [MAX_SINGLE_BYTES + 1, 'multipart'],
  ])('for %i bytes is %s', (size, mode) => expect(defaultMode(size)).toBe(mode))
})
