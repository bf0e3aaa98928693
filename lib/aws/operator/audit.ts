/**
 * Compares the ledger with the blobs, and changes nothing.
 *
 * The ledger is read first. The blob of each entry was durable before its row was written, so the later listing must have it: an
 * entry without a blob is never a matter of timing. A blob without an entry may be, so young ones are counted separately.
 */

import {
  blobsWithEntries,
  type ComparedStores,
  type ExpectedBlob,
  refPrefixOfKey,
} from './blobs-with-entries.ts'
import type { ListedBlob } from './deployed-stores.ts'

/** Damage, or a blob that only costs. */
export type Finding =
  /** No entry names this blob. Readers cannot see it, and nothing is wrong. */
  | { readonly finding: 'unreferenced'; readonly key: string; readonly size: number }
  /** An entry's blob is missing: the artifact cannot be fetched. */
  | { readonly finding: 'missing'; readonly key: string; readonly size: number }
  /** An entry's blob has another size than the entry. */
  | {
      readonly finding: 'wrong_size'
      readonly key: string
      readonly size: number
      readonly stored_size: number
    }
  /** Several blobs under one reference: the keys alone do not tell which one the ledger named. */
  | { readonly finding: 'ambiguous'; readonly key: string; readonly blobs: number }
  /** An object whose key none of our writers makes. */
  | { readonly finding: 'foreign'; readonly key: string; readonly size: number }

interface Amount {
  count: number
  /** Bytes. */
  bytes: number
}

export interface Summary {
  readonly entries: Amount
  readonly blobs: Amount
  readonly unreferenced: Amount
  /** Without an entry, but young enough that one may still come. */
  readonly recent: Amount
  missing: number
  wrong_size: number
  ambiguous: number
  foreign: number
}

export interface AuditInput extends ComparedStores {
  /** Blobs written at or after this time count as recent. */
  readonly youngFrom: Date
  readonly report: (finding: Finding) => void
}

/** @throws BucketError `unavailable` when S3 or DynamoDB fails; errors of the disk. */
export async function audit({ youngFrom, report, ...stores }: AuditInput): Promise<Summary> {
  const summary: Summary = {
    entries: nothing(),
    blobs: nothing(),
    unreferenced: nothing(),
    recent: nothing(),
    missing: 0,
    wrong_size: 0,
    ambiguous: 0,
    foreign: 0,
  }
  const unnamed = ({ key, size, lastModified }: ListedBlob) => {
    const isYoung = lastModified >= youngFrom
    add(isYoung ? summary.recent : summary.unreferenced, size)
    if (!isYoung) report({ finding: 'unreferenced', key, size })
  }
  const refs = watchRefPrefixes((key, count) => {
    summary.ambiguous += 1
    report({ finding: 'ambiguous', key, blobs: count })
  })
  for await (const { entry, blob } of blobsWithEntries(stores)) {
    if (entry) add(summary.entries, entry.size)
    if (blob) add(summary.blobs, blob.size)
    const refPrefix = blob && refPrefixOfKey(blob.key)
    if (!blob) {
      if (entry) missing(summary, report, entry)
    } else if (refPrefix === undefined) {
      summary.foreign += 1
      report({ finding: 'foreign', key: blob.key, size: blob.size })
    } else {
      refs.see(refPrefix)
      if (!entry) unnamed(blob)
      else if (entry.size !== blob.size) {
        summary.wrong_size += 1
        report({ finding: 'wrong_size', ...entry, stored_size: blob.size })
      }
    }
  }
  refs.end()
  return summary
}

function missing(summary: Summary, report: AuditInput['report'], entry: ExpectedBlob): void {
  summary.missing += 1
  report({ finding: 'missing', ...entry })
}

/** Whether every entry has its blob, of its size. Blobs without an entry are not damage. */
export const isSound = ({ missing, wrong_size }: Summary): boolean => missing === 0 && wrong_size === 0

/** Calls `onSeveral` for each reference under which more than one blob was seen; its keys come one after another. */
function watchRefPrefixes(onSeveral: (refPrefix: string, count: number) => void) {
  let refPrefix = ''
  let count = 0
  const end = () => {
    if (count > 1) onSeveral(refPrefix, count)
    count = 0
  }
  return {
    see(next: string): void {
      if (next !== refPrefix) end()
      refPrefix = next
      count += 1
    },
    end,
  }
}

const nothing = (): Amount => ({ count: 0, bytes: 0 })

function add(total: Amount, bytes: number): void {
  total.count += 1
  total.bytes += bytes
}
