/**
 * The promises of every table of uploads, as one suite that each implementation passes (lib/repository/upload-ports.ts). It
 * begins with honesty probes: a table in which two writers of one revision win, or a write recreates a removed row, fails
 * before any other test counts.
 */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { BucketError, toFailure } from '../../lib/domain/errors.ts'
import type { UploadRecord, Uploads } from '../../lib/repository/upload-ports.ts'
import { changed, committed, failed, openRecord, verifying } from '../../lib/repository/upload-record.ts'
import { described } from '../support/described.ts'
import { blobOf, digestOf, someBytes } from '../support/fake-artifacts.ts'

export interface UploadsUnderTest {
  readonly uploads: Uploads
  /** The same table through a new process, or the implementation's closest equivalent. */
  reopen(): Promise<Uploads>
  close(): Promise<void>
}

/** The promises that an implementation, or an emulator of it, cannot show. */
export type UploadsProbe = 'reopen' | 'expired rows'

export interface UploadsSuiteOptions {
  /** Why a probe cannot be made here. Its tests are then counted skips with this reason. */
  readonly cannotWitness?: Readonly<Partial<Record<UploadsProbe, string>>>
}

const NOW = Date.parse('2026-11-23T04:00:00.000Z')
const RACERS = 10

/** @param makeUploads is called once and returns an empty table. */
export function describeUploads(
  name: string,
  makeUploads: () => Promise<UploadsUnderTest>,
  { cannotWitness = {} }: UploadsSuiteOptions = {},
): void {
  describe(`uploads: ${name}`, () => {
    let under: UploadsUnderTest
    let uploads: Uploads
    let count = 0

    beforeAll(async () => {
      under = await makeUploads()
      uploads = under.uploads
    })
    afterAll(() => under?.close())

    const needs = (context: TestContext, probe: UploadsProbe) =>
      context.skip(cannotWitness[probe] !== undefined, cannotWitness[probe])

    const description = described({
      contentType: 'application/x-tar',
      uploadedBy: 'trainer-5',
      provenanceSource: 'run "47"; x=1',
    })
    const freshId = () => blobOf(`contract/artifact:1/v${count++}-${process.pid}`, someBytes(10))
    const fresh = (id = freshId(), now = NOW) =>
      openRecord(
        { id, size: 6_000_000_000, mode: 'multipart', description },
        randomUUID(),
        `staging/${randomUUID()}`,
        now,
        undefined,
      )
    const created = async (record = fresh()) => {
      expect(await uploads.write(record, undefined)).toBe(true)
      return record
    }

    describe('honesty probes', () => {
      it('creates a row once', async () => {
        const first = await created()
        const second = { ...fresh(first.id), size: 1 }
        expect(await uploads.write(second, undefined)).toBe(false)
        expect(await uploads.find(first.id)).toEqual(first)
      })

      it('lets one of two writers of the same revision win', async () => {
        const row = await created()
        const winner = changed(row, { verifiedBytes: 1 })
        expect(await uploads.write(winner, row)).toBe(true)
        expect(await uploads.write(changed(row, { verifiedBytes: 2 }), row)).toBe(false)
        expect(await uploads.find(row.id)).toEqual(winner)
      })

      it('never recreates a removed row', async () => {
        const row = await created()
        expect(await uploads.remove(row)).toBe(true)
        expect(await uploads.write(changed(row, { verifiedBytes: 1 }), row)).toBe(false)
        expect(await uploads.find(row.id)).toBeUndefined()
      })

      it('never mistakes a row of another attempt for the same one, at any revision', async () => {
        const earlier = await created()
        const later = { ...fresh(earlier.id), revision: earlier.revision }
        expect(await uploads.remove(earlier)).toBe(true)
        await created(later)
        expect(await uploads.write(changed(earlier, { state: 'failed' }), earlier)).toBe(false)
        expect(await uploads.remove(earlier)).toBe(false)
        expect(await uploads.find(later.id)).toEqual(later)
      })

      it(`lets exactly one of ${RACERS} simultaneous creations win`, async () => {
        const id = freshId()
        const rows = Array.from({ length: RACERS }, () => fresh(id))
        const results = await Promise.all(rows.map((row) => uploads.write(row, undefined)))
        expect(results.filter(Boolean)).toHaveLength(1)
        expect(await uploads.find(id)).toEqual(rows[results.indexOf(true)])
      })

      it(`lets exactly one of ${RACERS} simultaneous changes win`, async () => {
        const row = await created()
        const rows = Array.from({ length: RACERS }, (_, at) => changed(row, { verifiedBytes: at }))
        const results = await Promise.all(rows.map((next) => uploads.write(next, row)))
        expect(results.filter(Boolean)).toHaveLength(1)
        expect(await uploads.find(row.id)).toEqual(rows[results.indexOf(true)])
      })
    })

    it('finds nothing before a write', async () => {
      expect(await uploads.find(freshId())).toBeUndefined()
    })

    it('returns every member of a row, in every state', async () => {
      const open = await created()
      const taken = { leaseOwner: randomUUID(), leaseUntil: NOW + 120_000, verifiedBytes: 5_999_999_999 }
      const states: UploadRecord[] = [verifying(open, NOW)]
      const last = () => states.at(-1) ?? open
      states.push(changed(last(), taken))
      states.push(changed(last(), { leaseOwner: null, leaseUntil: 0 }))
      states.push(committed(last()))
      let previous = open
      for (const next of states) {
        expect(await uploads.write(next, previous)).toBe(true)
        expect(await uploads.find(open.id)).toEqual(next)
        previous = next
      }
    })

    it('returns the reason why an upload failed', async () => {
      const row = await created()
      const problem = new BucketError('digest_mismatch', 'other bytes – "é", \n', {
        declaredDigest: row.id.digest,
        computedDigest: digestOf(someBytes(3)),
        size: 3,
        hint: 'a newline was lost',
      })
      const next = failed(row, problem)
      expect(await uploads.write(next, row)).toBe(true)
      expect((await uploads.find(row.id))?.failure).toEqual(toFailure(problem))
    })

    it('returns a single upload without a description', async () => {
      const bare = described()
      const terms = { id: freshId(), size: 0, mode: 'single' as const, description: bare }
      const row = await created(openRecord(terms, randomUUID(), null, NOW, undefined))
      expect(await uploads.find(row.id)).toEqual(row)
    })

    it('replaces a row with that of a new attempt, which the old attempt cannot revert', async () => {
      const earlier = await created()
      const { id, size, mode } = earlier
      const later = openRecord({ id, size, mode, description }, randomUUID(), null, NOW + 1, earlier)
      expect(await uploads.write(later, earlier)).toBe(true)
      expect(await uploads.write(changed(earlier, { state: 'committed' }), earlier)).toBe(false)
      expect(await uploads.find(id)).toEqual(later)
    })

    it('removes an unchanged row, once', async () => {
      const row = await created()
      const next = changed(row, { verifiedBytes: 1 })
      expect(await uploads.write(next, row)).toBe(true)
      expect(await uploads.remove(row)).toBe(false)
      expect(await uploads.remove(next)).toBe(true)
      expect(await uploads.remove(next)).toBe(false)
      expect(await uploads.find(row.id)).toBeUndefined()
    })

    it('creates a row again after it was removed', async () => {
      const row = await created()
      expect(await uploads.remove(row)).toBe(true)
      const again = await created(fresh(row.id))
      expect(await uploads.find(row.id)).toEqual(again)
    })

    it('keeps uploads of different digests and references separate', async () => {
      const text = `contract/artifact/shared${count++}-${process.pid}`
      const rows = [
        fresh(blobOf(text, someBytes(10, 1))),
        fresh(blobOf(text, someBytes(10, 2))),
        fresh(blobOf(`${text}+`, someBytes(10, 1))),
        fresh(blobOf(text.toUpperCase(), someBytes(10, 1))),
      ]
      for (const row of rows) await created(row)
      for (const row of rows) expect(await uploads.find(row.id)).toEqual(row)
    })

    it('returns an expired row, because the rules decide about expiry', async (context) => {
      needs(context, 'expired rows')
      const row = await created(fresh(freshId(), Date.now() - 30 * 24 * 3600_000))
      expect(await uploads.find(row.id)).toEqual(row)
      const again = openRecord({ ...row }, randomUUID(), null, Date.now(), row)
      expect(await uploads.write(again, row)).toBe(true)
    })

    it('keeps every row across a restart', async (context) => {
      needs(context, 'reopen')
      const row = await created()
      const next = changed(row, { verifiedBytes: 7 })
      expect(await uploads.write(next, row)).toBe(true)
      uploads = await under.reopen()
      expect(await uploads.find(row.id)).toEqual(next)
      expect(await uploads.write(changed(row, { verifiedBytes: 8 }), row)).toBe(false)
    })
  })
}
