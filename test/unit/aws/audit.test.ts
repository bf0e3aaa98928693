/** The findings of an audit, for entries and listings of any kind and order. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blobKey } from '../../../lib/aws/blob-object.ts'
import { audit, type Finding, isSound } from '../../../lib/aws/operator/audit.ts'
import type { ListedBlob } from '../../../lib/aws/operator/deployed-stores.ts'
import { sortLines } from '../../../lib/aws/operator/sorted-lines.ts'
import { digestFromHex } from '../../../lib/domain/digest.ts'
import type { Entry } from '../../../lib/domain/entry.ts'
import { entryOf } from '../../support/fake-artifacts.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-audit-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

const LONG_AGO = new Date('2026-01-01T00:00:00.000Z')
const YOUNG_FROM = new Date('2026-11-01T00:00:00.000Z')

const entry = (ref: string, hex = 'a', size = 3): Entry =>
  entryOf(ref, Buffer.alloc(0), {
    ...{ digest: digestFromHex(hex.repeat(64)), size, contentType: 'text/plain' },
    createdAt: '2026-01-01T00:00:00.000Z',
  })
const blob = (ref: string, hex = 'a', over: Partial<ListedBlob> = {}): ListedBlob => ({
  key: blobKey(entry(ref, hex)),
  size: 3,
  lastModified: LONG_AGO,
  ...over,
})

async function audited(entries: readonly Entry[], blobs: readonly ListedBlob[]) {
  const findings: Finding[] = []
  const summary = await audit({
    entries: each(entries),
    blobs: each([...blobs].sort((a, b) => (a.key < b.key ? -1 : 1))),
    folder,
    youngFrom: YOUNG_FROM,
    report: (finding) => findings.push(finding),
  })
  return { summary, findings }
}

describe('an audit', () => {
  it('has no findings if every entry has its blob, in any order of the table', async () => {
    const refs = ['b/a/v2', 'b/a.x/v1', 'b/a/v10', 'b+1/a:0/v', 'B/a/v', 'b/a/v1']
    const { summary, findings } = await audited(
      refs.map((ref) => entry(ref)),
      refs.map((ref) => blob(ref)),
    )
    expect(findings).toEqual([])
    expect(isSound(summary)).toBe(true)
    expect(summary).toMatchObject({ entries: { count: 6, bytes: 18 }, blobs: { count: 6, bytes: 18 } })
  })

  it('of nothing is sound', async () => {
    expect(isSound((await audited([], [])).summary)).toBe(true)
  })

  it.each(['b/a/v0', 'b/a/v2', 'b/a/v9'])('finds an entry without its blob: %s', async (lost) => {
    const there = ['b/a/v1', 'b/a/v3']
    const { summary, findings } = await audited(
      [...there, lost].map((ref) => entry(ref)),
      there.map((ref) => blob(ref)),
    )
    expect(findings).toEqual([{ finding: 'missing', key: blobKey(entry(lost)), size: 3 }])
    expect(isSound(summary)).toBe(false)
  })

  it('an entry whose blob has other bytes has no blob: names hold digests', async () => {
    const { findings } = await audited([entry('b/a/v', 'b')], [blob('b/a/v', 'a')])
    expect(findings.map(({ finding }) => finding).sort()).toEqual(['missing', 'unreferenced'])
  })

  it('finds a blob of another size than its entry', async () => {
    const { summary, findings } = await audited([entry('b/a/v')], [blob('b/a/v', 'a', { size: 2 })])
    expect(findings).toEqual([
      { finding: 'wrong_size', key: blobKey(entry('b/a/v')), size: 3, stored_size: 2 },
    ])
    expect(isSound(summary)).toBe(false)
  })

  it('counts unreferenced blobs, which are not damage, and names references with several blobs', async () => {
    const { summary, findings } = await audited(
      [entry('b/a/v', 'b')],
      [blob('b/a/v', 'a'), blob('b/a/v', 'b'), blob('b/a/v', 'c', { size: 5 }), blob('b/a/w')],
    )
    expect(findings).toEqual([
      { finding: 'unreferenced', key: blobKey(entry('b/a/v', 'a')), size: 3 },
      { finding: 'unreferenced', key: blobKey(entry('b/a/v', 'c')), size: 5 },
      { finding: 'ambiguous', key: 'blobs/b/a/v', blobs: 3 },
      { finding: 'unreferenced', key: blobKey(entry('b/a/w')), size: 3 },
    ])
    expect(summary.unreferenced).toEqual({ count: 3, bytes: 11 })
    expect(isSound(summary)).toBe(true)
  })

  it('counts young blobs apart: their entry may still come', async () => {
    const { summary, findings } = await audited([], [blob('b/a/v', 'a', { lastModified: YOUNG_FROM })])
    expect(findings).toEqual([])
    expect(summary).toMatchObject({ recent: { count: 1, bytes: 3 }, unreferenced: { count: 0, bytes: 0 } })
  })

  it.each([
    'blobs/',
    'blobs/b/a/v/xyz',
    `blobs/b/a/${'a'.repeat(64)}`,
    `blobs/b/a/v/x/${'a'.repeat(64)}`,
    `blobs/b/-a/v/${'a'.repeat(64)}`,
  ])('names a key that none of our writers makes, and takes it for no blob of anybody: %s', async (key) => {
    const { findings, summary } = await audited([], [blob('b/a/v', 'a', { key })])
    expect(findings).toEqual([{ finding: 'foreign', key, size: 3 }])
    expect(summary.unreferenced.count).toBe(0)
  })

  it('refuses a listing that is not in order, because it would report damage that does not exist', async () => {
    const blobs = each([blob('b/a/v2'), blob('b/a/v1')])
    await expect(
      audit({ entries: each([]), blobs, folder, youngFrom: YOUNG_FROM, report: () => {} }),
    ).rejects.toThrow('out of order')
  })
})

describe('lines sorted on disk', () => {
  it.each([0, 1, 2, 3, 7, 8, 64, 65])(
    'come back sorted and whole: %d lines in runs of three',
    async (count) => {
      // 37 has no factor in common with any of the counts, so each number comes once.
      const lines = Array.from(
        { length: count },
        (_, at) => `line ${String((at * 37) % count).padStart(3, '0')}`,
      )
      const sorted: string[] = []
      for await (const line of await sortLines(each(lines), folder, { runLines: 3 })) sorted.push(line)
      expect(sorted).toEqual([...lines].sort())
      expect(await readdir(folder)).toHaveLength(Math.floor(count / 3))
    },
  )

  it.each([8, 9, 10, 11, 64, 100])('are merged a few runs at a time: %d lines', async (count) => {
    const lines = Array.from(
      { length: count },
      (_, at) => `line ${String((at * 37) % count).padStart(3, '0')}`,
    )
    const limits = { runLines: 2, openRuns: 4 }
    const sorted: string[] = []
    for await (const line of await sortLines(each(lines), folder, limits)) sorted.push(line)
    expect(sorted).toEqual([...lines].sort())
    expect((await readdir(folder)).length).toBeLessThanOrEqual(limits.openRuns)
  })

  it('keep what comes more than once', async () => {
    const sorted: string[] = []
    for await (const line of await sortLines(each(['b', 'a', 'b', 'b']), folder, { runLines: 2 }))
      sorted.push(line)
    expect(sorted).toEqual(['a', 'b', 'b', 'b'])
  })
})
