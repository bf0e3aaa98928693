/**
 * Appends the rows that a restored ledger lacks: one for each blob whose reference has no row. Rows are only created, never changed,
 * by the same conditional put as in the service.
 *
 * A blob's key gives reference and digest; its object gives size, description and time.
 */
import { randomUUID } from 'node:crypto'
import { digestFromHex } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { parseRef } from '../../domain/refs.ts'
import type { LedgerWriter } from '../../repository/ports.ts'
import { blobsWithEntries, type ComparedStores, partsOfKey, refPrefixOfKey } from './blobs-with-entries.ts'
import type { InspectedBlob, ListedBlob } from './deployed-stores.ts'

export type Repair =
  /** The row is appended; without `write`, it would be. */
  | { readonly repair: 'append'; readonly key: string; readonly size: number }
  /** Another writer created a row of this reference in the meantime, which stays. */
  | { readonly repair: 'exists'; readonly key: string }
  /** Several blobs of one reference have no row: the uploader's records must tell which one was committed. */
  | { readonly repair: 'ambiguous'; readonly key: string }
  /** S3 does not vouch for the digest, so the bytes must be hashed before they get a row. */
  | { readonly repair: 'unproven'; readonly key: string }
  /** None of our writers makes this key. */
  | { readonly repair: 'foreign'; readonly key: string }

export type RepairSummary = Record<Repair['repair'], number>

export interface RepairInput extends ComparedStores {
  readonly inspect: (key: string) => Promise<InspectedBlob>
  /** Undefined to report what would be appended. */
  readonly ledger: LedgerWriter | undefined
  readonly report: (repair: Repair) => void
}

/** @throws BucketError `unavailable` when S3 or DynamoDB fails. It is safe to run again. */
export async function repairLedger(input: RepairInput): Promise<RepairSummary> {
  const summary: RepairSummary = { append: 0, exists: 0, ambiguous: 0, unproven: 0, foreign: 0 }
  const record = (repair: Repair) => {
    summary[repair.repair] += 1
    input.report(repair)
  }
  for await (const group of blobsOfRefs(input, (key) => record({ repair: 'foreign', key }))) {
    const [blob, ...others] = group.unnamed
    if (group.hasRow || !blob) continue
    if (others.length > 0) for (const { key } of group.unnamed) record({ repair: 'ambiguous', key })
    else record(await repairOne(input, blob))
  }
  return summary
}

/** Whether every reference with a blob has a row now. */
export const isRepaired = ({ ambiguous, unproven }: RepairSummary): boolean => ambiguous + unproven === 0

async function repairOne(
  { inspect, ledger }: RepairInput,
  { key, size, lastModified }: ListedBlob,
): Promise<Repair> {
  const parts = partsOfKey(key)
  if (!parts) return { repair: 'foreign', key }
  const { attestedHex, description, storedAt } = await inspect(key)
  if (attestedHex !== parts.hex) return { repair: 'unproven', key }
  const entry: Entry = {
    ref: parseRef(parts.ref),
    digest: digestFromHex(parts.hex),
    size,
    ...description,
    createdAt: storedAt ?? lastModified.toISOString(),
  }
  const appended = ledger ? (await ledger.append(entry, `repair-${randomUUID()}`)).appended : true
  return appended ? { repair: 'append', key, size } : { repair: 'exists', key }
}

interface RefGroup {
  hasRow: boolean
  /** Blobs without a row of their own. */
  readonly unnamed: ListedBlob[]
}

/** The keys of one reference follow one another. */
async function* blobsOfRefs(
  stores: ComparedStores,
  foreign: (key: string) => void,
): AsyncGenerator<RefGroup> {
  let refPrefix: string | undefined
  let group: RefGroup = { hasRow: false, unnamed: [] }
  for await (const { entry, blob } of blobsWithEntries(stores)) {
    const key = entry?.key ?? blob?.key ?? ''
    const next = refPrefixOfKey(key)
    if (next === undefined) {
      foreign(key)
      continue
    }
    if (next !== refPrefix) {
      yield group
      group = { hasRow: false, unnamed: [] }
      refPrefix = next
    }
    if (entry) group.hasRow = true
    else if (blob) group.unnamed.push(blob)
  }
  yield group
}
