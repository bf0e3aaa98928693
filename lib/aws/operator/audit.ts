/**
 * Compares the ledger with the blobs, and changes nothing. Memory does not grow with either: entries are sorted on disk by the
 * key of their blob, and then walked beside S3's listing, which has that order.
 *
 * The ledger is read first. Whatever it names was durable before its row was written, so the later listing must have it: an entry
 * without a blob is never a matter of timing. A blob without an entry may be, which is why young ones count apart.
 */

import { BLOB_PREFIX } from '../../deployment/tables.ts'
import { DIGEST_PATTERN } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { IDENTIFIER_PATTERN } from '../../domain/identifiers.ts'
import { blobKey } from '../blob-object.ts'
import type { ListedBlob } from './deployed-stores.ts'
import { sortLines } from './sorted-lines.ts'

/** One thing that is not as it should be, or that costs without being of use. */
export type Finding =
  /** No entry names this blob. Nobody can see it, and nothing is wrong. */
  | { readonly finding: 'unreferenced'; readonly key: string; readonly size: number }
  /** An entry's blob is not there: the artifact cannot be fetched. */
  | { readonly finding: 'missing'; readonly key: string; readonly size: number }
  /** An entry's blob has another size than the entry. */
  | {
      readonly finding: 'wrong_size'
      readonly key: string
      readonly size: number
      readonly stored_size: number
    }
  /** Several blobs under one reference: from the keys alone, a ledger could not be rebuilt here. */
  | { readonly finding: 'ambiguous'; readonly key: string; readonly blobs: number }
  /** An object among the blobs whose key none of our writers would make. */
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

export interface AuditInput {
  /** In any order; read to the end before the first blob. */
  readonly entries: AsyncIterable<Entry>
  /** In the order of their keys. */
  readonly blobs: AsyncIterable<ListedBlob>
  /** An empty folder, for about as many bytes as all keys of blobs together; its maker removes it. */
  readonly folder: string
  /** Blobs written at or after this time count as recent. */
  readonly youngFrom: Date
  readonly report: (finding: Finding) => void
}

/** @throws BucketError `unavailable` when S3 or DynamoDB fails; errors of the disk. */
export async function audit({ entries, blobs, folder, youngFrom, report }: AuditInput): Promise<Summary> {
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
  const lines = await sortLines(counted(entries, summary.entries), folder)
  const expected = lines[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await expected.next()
    return done ? undefined : readLine(value)
  }
  const missing = (entry: ExpectedBlob) => {
    summary.missing += 1
    report({ finding: 'missing', ...entry })
  }
  const unnamed = ({ key, size, lastModified }: ListedBlob) => {
    const isYoung = lastModified >= youngFrom
    add(isYoung ? summary.recent : summary.unreferenced, size)
    if (!isYoung) report({ finding: 'unreferenced', key, size })
  }
  const refs = watchRefs((key, count) => {
    summary.ambiguous += 1
    report({ finding: 'ambiguous', key, blobs: count })
  })

  let entry = await next()
  let before = ''
  for await (const blob of blobs) {
    if (blob.key <= before) throw new Error(`the listing of blobs is not in order at ${blob.key}`)
    before = blob.key
    add(summary.blobs, blob.size)
    for (; entry && entry.key < blob.key; entry = await next()) missing(entry)
    if (!BLOB_KEY.test(blob.key)) {
      summary.foreign += 1
      report({ finding: 'foreign', key: blob.key, size: blob.size })
      continue
    }
    refs.see(blob.key)
    if (entry?.key !== blob.key) {
      unnamed(blob)
      continue
    }
    if (entry.size !== blob.size) {
      summary.wrong_size += 1
      report({ finding: 'wrong_size', ...entry, stored_size: blob.size })
    }
    entry = await next()
  }
  for (; entry; entry = await next()) missing(entry)
  refs.end()
  return summary
}

/** Whether every entry has its blob, of its size. What nobody refers to is no damage. */
export const isSound = ({ missing, wrong_size }: Summary): boolean => missing === 0 && wrong_size === 0

/** What an entry promises about a blob. */
interface ExpectedBlob {
  readonly key: string
  readonly size: number
}

const inner = (pattern: string): string => pattern.replace(/^\^|\$$/g, '')
const ID = inner(IDENTIFIER_PATTERN)
const BLOB_KEY = new RegExp(`^${BLOB_PREFIX}(?:${ID}/){3}${inner(DIGEST_PATTERN).replace('sha256:', '')}$`)

async function* counted(entries: AsyncIterable<Entry>, total: Amount): AsyncGenerator<string> {
  for await (const entry of entries) {
    add(total, entry.size)
    yield `${blobKey(entry)} ${entry.size}`
  }
}

/** Neither a key nor a size has a space, and a space comes before every character of a key. */
function readLine(line: string): ExpectedBlob {
  const at = line.indexOf(' ')
  return { key: line.slice(0, at), size: Number(line.slice(at + 1)) }
}

/** Calls `onSeveral` for each reference under which more than one blob was seen; its keys come one after another. */
function watchRefs(onSeveral: (key: string, count: number) => void) {
  let ref = ''
  let count = 0
  const end = () => {
    if (count > 1) onSeveral(ref, count)
    count = 0
  }
  return {
    see(key: string): void {
      const of = key.slice(0, key.lastIndexOf('/'))
      if (of !== ref) end()
      ref = of
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
