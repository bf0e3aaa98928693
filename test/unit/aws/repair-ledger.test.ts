/** The rows that a repair appends to a restored ledger, and the blobs that it leaves for a person to judge. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { blobKey } from '../../../lib/aws/blob-object.ts'
import type { InspectedBlob, ListedBlob } from '../../../lib/aws/operator/deployed-stores.ts'
import { isRepaired, type Repair, repairLedger } from '../../../lib/aws/operator/repair-ledger.ts'
import { digestFromHex, digestHex } from '../../../lib/domain/digest.ts'
import type { Entry } from '../../../lib/domain/entry.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { described } from '../../support/described.ts'
import { entryOf } from '../../support/fake-artifacts.ts'
import { fakeLedger } from '../../support/fake-ledger.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-repair-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

const WRITTEN = new Date('2026-11-20T10:00:00.000Z')
const entry = (ref: string, hex = 'a'): Entry =>
  entryOf(ref, Buffer.alloc(0), {
    ...{ digest: digestFromHex(hex.repeat(64)), size: 3, contentType: 'text/plain' },
    createdAt: WRITTEN.toISOString(),
  })
const blob = (ref: string, hex = 'a'): ListedBlob => ({
  key: blobKey(entry(ref, hex)),
  size: 3,
  lastModified: WRITTEN,
})
const attested = async (key: string): Promise<InspectedBlob> => ({
  attestedHex: key.slice(key.lastIndexOf('/') + 1),
  description: described({ contentType: 'text/plain' }),
  storedAt: undefined,
})

async function repaired(
  entries: readonly Entry[],
  blobs: readonly ListedBlob[],
  { write = true, inspect = attested } = {},
) {
  const ledger = fakeLedger()
  for (const known of entries) await ledger.append(known, 'before')
  const repairs: Repair[] = []
  const summary = await repairLedger({
    entries: each(entries),
    blobs: each([...blobs].sort((a, b) => (a.key < b.key ? -1 : 1))),
    folder,
    inspect,
    ledger: write ? ledger : undefined,
    report: (repair) => repairs.push(repair),
  })
  return { ledger, repairs, summary }
}

describe('a repair', () => {
  test('appends a row for each blob whose reference has none', async () => {
    const lost = entry('b/a/v2', 'b')
    const { ledger, repairs, summary } = await repaired(
      [entry('b/a/v1'), entry('b/a/v3')],
      [blob('b/a/v1'), blob('b/a/v2', 'b'), blob('b/a/v3')],
    )
    expect(repairs).toEqual([{ repair: 'append', key: blobKey(lost), size: 3 }])
    expect(await ledger.find(lost.ref)).toEqual(lost)
    expect(isRepaired(summary)).toBe(true)
  })

  test('writes nothing unless asked to', async () => {
    const { ledger, repairs } = await repaired([], [blob('b/a/v1')], { write: false })
    expect(repairs).toMatchObject([{ repair: 'append' }])
    expect(await ledger.find(parseRef('b/a/v1'))).toBeUndefined()
  })

  test('keeps the row of a ref, no matter which other blobs it has', async () => {
    const { ledger, repairs } = await repaired(
      [entry('b/a/v1', 'b')],
      [blob('b/a/v1', 'a'), blob('b/a/v1', 'b'), blob('b/a/v1', 'c')],
    )
    expect(repairs).toEqual([])
    expect((await ledger.find(parseRef('b/a/v1')))?.digest).toBe(digestFromHex('b'.repeat(64)))
  })

  test('reports every blob of a reference with several, and appends none', async () => {
    const { ledger, repairs, summary } = await repaired([], [blob('b/a/v1', 'a'), blob('b/a/v1', 'b')])
    expect(repairs.map(({ repair }) => repair)).toEqual(['ambiguous', 'ambiguous'])
    expect(await ledger.find(parseRef('b/a/v1'))).toBeUndefined()
    expect(isRepaired(summary)).toBe(false)
  })

  test.each([
    ['without a proof of its digest', undefined],
    ['with the proof of another digest', digestHex(entry('b/a/v1', 'f').digest)],
  ])('does not believe a blob %s', async (_, attestedHex) => {
    const inspect = async () => ({ attestedHex, description: described(), storedAt: undefined })
    const { ledger, repairs, summary } = await repaired([], [blob('b/a/v1')], { inspect })
    expect(repairs).toMatchObject([{ repair: 'unproven' }])
    expect(await ledger.find(parseRef('b/a/v1'))).toBeUndefined()
    expect(isRepaired(summary)).toBe(false)
  })

  test("continues past keys that Bucket's writers never make", async () => {
    const foreign = { key: 'blobs/readme.txt', size: 1, lastModified: WRITTEN }
    const { repairs } = await repaired([], [foreign, blob('b/a/v1'), blob('c/a/v1')])
    expect(repairs.map(({ repair }) => repair)).toEqual(['append', 'foreign', 'append'])
  })

  test('keeps a row that another writer creates during the repair', async () => {
    const other = entry('b/a/v1', 'b')
    const ledger = fakeLedger()
    await ledger.append(other, 'other')
    const repairs: Repair[] = []
    await repairLedger({
      ...{ entries: each<Entry>([]), blobs: each([blob('b/a/v1')]), folder, inspect: attested, ledger },
      report: (repair) => repairs.push(repair),
    })
    expect(repairs).toMatchObject([{ repair: 'exists' }])
    expect(await ledger.find(other.ref)).toEqual(other)
  })
})
