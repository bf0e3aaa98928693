/** Finding an artifact version by its exact reference, and handing out its bytes: one ledger read decides everything. */
import { type ByteRange, wholeRange } from '../domain/byte-range.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../domain/identifiers.ts'
import { PRESIGNED_SECONDS } from '../domain/limits.ts'
import type { BlobStore, Call, Ledger, PresignedRequest } from './ports.ts'

/**
 * @param expected the digest that the caller insists on (`?digest=`).
 * @throws BucketError `version_not_found`, `digest_differs` (docs/http-api.md, section 5).
 */
export async function findEntry(
  deps: { readonly ledger: Ledger },
  ref: ArtifactRef,
  expected: Digest | undefined,
  call: Call,
): Promise<Entry> {
  const entry = await call.time('ledger', deps.ledger.find(ref))
  if (!entry) throw new BucketError('version_not_found', `${formatRef(ref)} is not stored`, {})
  if (expected !== undefined && expected !== entry.digest) throw digestDiffers(entry, expected)
  return entry
}

/** @param expected what the caller insists on; undefined when that is no digest at all. */
export const digestDiffers = (entry: Entry, expected: Digest | undefined): BucketError<'digest_differs'> =>
  new BucketError(
    'digest_differs',
    `${formatRef(entry.ref)} is stored with ${entry.digest}, ${expected ? `not with ${expected}` : 'which the condition does not name'}`,
    { expected_digest: expected ?? null, stored_digest: entry.digest },
  )

/** The bytes of an entry, or one range within them. The whole is a range too: a blob that lost bytes is noticed before any is sent. */
export const readBytes = (
  deps: { readonly blobs: BlobStore },
  entry: Entry,
  range: ByteRange | undefined,
  call: Call,
): Promise<AsyncIterable<Uint8Array>> =>
  call.time('blobs', deps.blobs.read(entry, range ?? wholeRange(entry.size), call.signal))

/** Where the bytes of an entry can be fetched for a while, without credentials. */
export const presignFetch = (
  deps: { readonly blobs: BlobStore },
  entry: Entry,
  call: Call,
): Promise<PresignedRequest> => call.time('blobs', deps.blobs.presignGet(entry, PRESIGNED_SECONDS))
