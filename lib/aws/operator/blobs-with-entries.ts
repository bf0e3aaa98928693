/**
 * Joins the ledger with S3's listing of the blobs. Memory does not grow with either: entries are sorted on disk by the key of their
 * blob, and then read in parallel with the listing, which has that order.
 */
import { BLOB_PREFIX } from '../../deployment/tables.ts'
import { DIGEST_PATTERN } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { IDENTIFIER_PATTERN } from '../../domain/identifiers.ts'
import { blobKey } from '../blob-object.ts'
import type { ListedBlob } from './deployed-stores.ts'
import { sortLines } from './sorted-lines.ts'

export interface ComparedStores {
  /** In any order; read to the end before the first blob. */
  readonly entries: AsyncIterable<Entry>
  /** In the order of their keys. */
  readonly blobs: AsyncIterable<ListedBlob>
  /** An empty folder, on a disk with space for the keys of all blobs. The caller removes it. */
  readonly folder: string
}

/** The blob that an entry promises. */
export interface ExpectedBlob {
  readonly key: string
  /** Bytes. */
  readonly size: number
}

/** A blob, an entry, or both where the entry names the blob. */
export interface Joined {
  readonly entry?: ExpectedBlob
  readonly blob?: ListedBlob
}

/** @returns every blob and every entry, in the order of the keys. */
export async function* blobsWithEntries({ entries, blobs, folder }: ComparedStores): AsyncGenerator<Joined> {
  const sorted = (await sortLines(lines(entries), folder))[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await sorted.next()
    return done ? undefined : readLine(value)
  }
  let entry = await next()
  let before = ''
  for await (const blob of blobs) {
    if (blob.key <= before) throw new Error(`the listing of blobs is out of order at ${blob.key}`)
    before = blob.key
    for (; entry && entry.key < blob.key; entry = await next()) yield { entry }
    if (entry?.key === blob.key) {
      yield { entry, blob }
      entry = await next()
    } else yield { blob }
  }
  for (; entry; entry = await next()) yield { entry }
}

async function* lines(entries: AsyncIterable<Entry>): AsyncGenerator<string> {
  for await (const entry of entries) yield `${blobKey(entry)} ${entry.size}`
}

/** Neither a key nor a size contains a space, and a space sorts before every character of a key. */
function readLine(line: string): ExpectedBlob {
  const at = line.indexOf(' ')
  return { key: line.slice(0, at), size: Number(line.slice(at + 1)) }
}

const inner = (pattern: string): string => pattern.replace(/^\^|\$$/g, '')
const ID = inner(IDENTIFIER_PATTERN)
const HEX = inner(DIGEST_PATTERN).replace('sha256:', '')
const BLOB_KEY = new RegExp(`^${BLOB_PREFIX}(?<ref>(?:${ID}/){2}${ID})/(?<hex>${HEX})$`)

/** @returns the reference and the hex digest in the key of a blob; undefined if the key is not that of a blob. */
export const partsOfKey = (key: string): { readonly ref: string; readonly hex: string } | undefined => {
  const { ref, hex } = BLOB_KEY.exec(key)?.groups ?? {}
  return ref !== undefined && hex !== undefined ? { ref, hex } : undefined
}

/** @returns the prefix that the keys of all blobs of one reference share; undefined if the key is not that of a blob. */
export const refPrefixOfKey = (key: string): string | undefined => {
  const parts = partsOfKey(key)
  return parts && `${BLOB_PREFIX}${parts.ref}`
}
