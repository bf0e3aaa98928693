/** `GET` and `HEAD` of a version (docs/http-api.md, section 5). */
import type { ByteRange } from '../domain/byte-range.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../domain/identifiers.ts'
import { KIB } from '../domain/limits.ts'
import { HEADERS } from '../protocol/headers.ts'
import { parseRange } from '../protocol/range.ts'
import { findEntry, type PresignFetchDependencies, presignFetch, readBytes } from '../repository/fetch.ts'
import type { BlobReader, LedgerReader } from '../repository/ports.ts'
import { artifactHeaders, refHeader } from './artifact-headers.ts'
import type { Handler, RangeFields, ReplyOf } from './handlers.ts'
import { isNotModified, rangeApplies } from './preconditions.ts'
import type { RequestContext } from './request-context.ts'
import { ErrorWithHeaders } from './respond.ts'

export interface FetchStores extends PresignFetchDependencies {
  readonly ledger: LedgerReader
  /** Where it is set, a fetch sends the bytes; otherwise it redirects to a presigned URL. */
  readonly bytes?: BlobReader
}

/** A read of at most so many bytes ends by itself soon after its client has disconnected. */
const UNABORTED_BYTES = 16 * KIB

/** Finds the entry, with the digest that the query demands, and notes it for the log. */
export async function findNoted(
  { ref, digest }: { readonly ref: ArtifactRef; readonly digest: Digest | undefined },
  { stores, note }: RequestContext<FetchStores>,
): Promise<Entry> {
  const entry = await findEntry(stores, ref, digest)
  note({ digest: entry.digest, size: entry.size })
  return entry
}

export const head: Handler<'head', FetchStores> = async (input, context) => {
  const entry = await findNoted(input, context)
  const headers = artifactHeaders(entry)
  if (isNotModified(entry, input.conditions)) return { status: 304, headers }
  await assertHasBytes(entry, context)
  return { status: 200, headers: { ...headers, 'Content-Length': String(entry.size) } }
}

export const fetch: Handler<'fetch', FetchStores> = async (input, context) => {
  const entry = await findNoted(input, context)
  if (isNotModified(entry, input.conditions)) return { status: 304, headers: artifactHeaders(entry) }
  const { bytes } = context.stores
  if (bytes === undefined) return redirect(entry, context)
  const range = chooseRange(entry, input.range)
  // A signal costs more than all of a small read.
  const signal = entry.size > UNABORTED_BYTES ? context.signal : undefined
  const content = await readBytes({ blobs: bytes }, entry, range, signal)
  const headers = artifactHeaders(entry)
  if (range === undefined)
    return { status: 200, headers: { ...headers, 'Content-Length': String(entry.size) }, content }
  return {
    status: 206,
    headers: {
      ...headers,
      'Content-Range': `bytes ${range.first}-${range.last}/${entry.size}`,
      'Content-Length': String(range.last - range.first + 1),
    },
    content,
  }
}

/** Reads the last byte, so that `HEAD` knows a lost blob as a fetch does. @throws BucketError `blob_lost`. */
async function assertHasBytes(entry: Entry, { stores, signal }: RequestContext<FetchStores>): Promise<void> {
  const { bytes } = stores
  const last = entry.size - 1
  if (bytes) await readBytes({ blobs: bytes }, entry, last < 0 ? undefined : { first: last, last }, signal)
}

function chooseRange(entry: Entry, { range: field, ifRange }: RangeFields): ByteRange | undefined {
  const range = rangeApplies(entry, ifRange) ? parseRange(field, entry.size) : undefined
  if (range !== 'unsatisfiable') return range
  throw new ErrorWithHeaders(
    new BucketError('range_not_satisfiable', `${formatRef(entry.ref)} has ${entry.size} bytes`, {}),
    { 'Content-Range': `bytes */${entry.size}` },
  )
}

async function redirect(
  entry: Entry,
  { stores, origin }: RequestContext<FetchStores>,
): Promise<ReplyOf<'fetch'>> {
  const { url } = await presignFetch(stores, entry)
  return {
    status: 307,
    headers: {
      Location: new URL(url, origin).href,
      [HEADERS.artifactDigest]: entry.digest,
      [HEADERS.artifactSize]: String(entry.size),
      ...refHeader(entry),
    },
  }
}
