/** A record decodes to the written data, or not at all. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  blobOfRecord,
  decodeEntry,
  encodeRecord,
  encodeRemoved,
  isBlobIntact,
  MAX_RECORD_BYTES,
  placeRecord,
  readFrame,
  refOfRecord,
  SMALL_BLOB_BYTES,
} from '../../../../lib/local/ledger/record.ts'
import { segmentSeed } from '../../../../lib/local/ledger/segment.ts'
import { entryOf, someBytes } from '../../../support/fake-artifacts.ts'
import { STORE_ID } from './log-under-test.ts'

const seed = segmentSeed(STORE_ID, 1)
const place = { seed, offset: 4711, group: 7, index: 2, rest: 3 }

function written(bytes: Uint8Array | undefined, described = {}, commitId = 'c') {
  const entry = entryOf('b/a/v', bytes ?? someBytes(50_000), described)
  const record = encodeRecord({ entry, commitId, bytes })
  placeRecord(record, place)
  return { entry, record }
}
const frameOf = (record: Buffer) => readFrame(record, 0, record.length, seed, place.offset)

describe('a record', () => {
  it('decodes to the written entry, commit and bytes', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$/)
    const text = fc.option(fc.stringMatching(/^[!-~]{1,200}$/))
    fc.assert(
      fc.property(
        fc.tuple(name, name, name),
        fc.record({
          uploadedBy: text,
          provenanceSource: text,
          size: fc.maxSafeNat(),
          createdAt: fc.date({ noInvalidDate: true, min: new Date(0) }).map((date) => date.toISOString()),
        }),
        fc.string(),
        fc.option(fc.uint8Array({ maxLength: 100 }), { nil: undefined }),
        (names, described, commitId, bytes) => {
          const entry = entryOf(names.join('/'), bytes ?? new Uint8Array(), described)
          const record = encodeRecord({ entry, commitId, bytes })
          placeRecord(record, place)
          const frame = frameOf(record)
          if (!frame) throw new Error('no frame')
          expect(frame).toMatchObject({ length: record.length, group: 7, index: 2, rest: 3 })
          expect(refOfRecord(record, 0)).toBe(names.join('/'))
          expect(decodeEntry(record, 0, frame)).toEqual({ entry, commitId: Buffer.from(commitId).toString() })
          expect(blobOfRecord(record, 0, frame)).toEqual(bytes && Buffer.from(bytes))
        },
      ),
    )
  })

  it('holds the largest entry with the largest small blob', () => {
    const entry = entryOf(
      `${'b'.repeat(128)}/${'a'.repeat(128)}/${'v'.repeat(128)}`,
      someBytes(SMALL_BLOB_BYTES),
      {
        contentType: '\\'.repeat(255),
        uploadedBy: '"'.repeat(256),
        provenanceSource: '\\'.repeat(1024),
      },
    )
    const record = encodeRecord({ entry, commitId: 'c'.repeat(200), bytes: someBytes(SMALL_BLOB_BYTES) })
    expect(record.length).toBeLessThan(MAX_RECORD_BYTES)
  })

  it('decodes a member that did not exist when it was written as null', () => {
    const { record, entry } = written(undefined, { provenanceSource: 'x' })
    const at = record.indexOf('"provenanceSource"')
    record.write('"unknownToUs_____"', at)
    placeRecord(record, place)
    const frame = frameOf(record)
    expect(frame && decodeEntry(record, 0, frame).entry).toMatchObject({ ...entry, provenanceSource: null })
  })

  it('is invalid with any bit of its header or entry flipped, in every field', () => {
    const { record } = written(someBytes(30), { uploadedBy: 'someone', provenanceSource: 'somewhere' })
    const { entryLength } = frameOf(record) ?? { entryLength: 0 }
    expect(entryLength).toBeGreaterThan(100)
    for (let bit = 0; bit < 8 * entryLength; bit += 1) {
      const damaged = Buffer.from(record)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(frameOf(damaged), `bit ${bit}`).toBeUndefined()
    }
  })

  it('keeps its entry, and reports a wrong blob, with any byte of the blob flipped', () => {
    const { record } = written(someBytes(30))
    const frame = frameOf(record)
    if (!frame) throw new Error('no frame')
    expect(isBlobIntact(record, 0, frame)).toBe(true)
    for (let at = frame.entryLength; at < record.length; at += 1) {
      const damaged = Buffer.from(record)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      expect(frameOf(damaged)).toEqual(frame)
      expect(isBlobIntact(damaged, 0, frame)).toBe(false)
    }
  })

  it('is invalid at another position, in another segment or store, or truncated', () => {
    const { record } = written(someBytes(30))
    const { length } = record
    expect(readFrame(record, 0, length, seed, place.offset)).toBeDefined()
    expect(readFrame(record, 0, length, seed, place.offset + 1)).toBeUndefined()
    expect(readFrame(record, 0, length, segmentSeed(STORE_ID, 2), place.offset)).toBeUndefined()
    expect(readFrame(record, 0, length, segmentSeed('another', 1), place.offset)).toBeUndefined()
    for (let cut = 0; cut < length; cut += 1)
      expect(readFrame(record, 0, cut, seed, place.offset)).toBeUndefined()
  })

  it('that marks an erasure has the length of what it replaces, and no entry', () => {
    const record = encodeRemoved(200)
    placeRecord(record, place)
    expect(frameOf(record)).toMatchObject({ kind: 'removed', length: 200, group: 7, rest: 3 })
    expect(refOfRecord(record, 0)).toBe('')
  })
})
