/** Finds an artifact version by its exact reference and returns its bytes. One ledger read decides everything. */
import { type ByteRange, wholeRange } from '../domain/byte-range.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../domain/identifiers.ts'
import type { PresignedRequest } from '../domain/upload.ts'
import type { BlobReader, FetchPresigner, LedgerReader } from './ports.ts'

/**
 * @param expected the digest that the caller requires (`?digest=`).
 * @throws BucketError `version_not_found`, `digest_differs` (docs/http-api.md, section 5).
 */
export async function findEntry(
  { ledger }: { readonly ledger: LedgerReader },
  ref: ArtifactRef,
  expected: Digest | undefined,
): Promise<Entry> {
  const entry = await ledger.find(ref)
  if (!entry) throw new BucketError('version_not_found', `${formatRef(ref)} is not stored`, {})
  if (expected !== undefined && expected !== entry.digest) throw digestDiffers(entry, expected)
  return entry
}

/** @param expected the caller's digest; undefined if the condition names none. */
export const digestDiffers = (entry: Entry, expected: Digest | undefined): BucketError<'digest_differs'> =>
  new BucketError(
    'digest_differs',
    `${formatRef(entry.ref)} is stored with ${entry.digest}, ${expected ? `not with ${expected}` : 'which the condition does not name'}`,
    { expectedDigest: expected ?? null, storedDigest: entry.digest },
  )

/**
 * The bytes of an entry, or one range within them. Without a range, asks for the range of all bytes: a blob that lost bytes is
 * then noticed before any are sent.
 */
export const readBytes = (
  { blobs }: { readonly blobs: BlobReader },
  entry: Entry,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<Uint8Array>> => blobs.read(entry, range ?? wholeRange(entry.size), signal)

export interface PresignFetchDependencies {
  readonly blobs: FetchPresigner
  /** How long presigned requests live, in seconds: at most an hour. */
  readonly presignedSeconds: number
}

/** A request that returns the bytes of an entry, without credentials. */
export const presignFetch = (
  { blobs, presignedSeconds }: PresignFetchDependencies,
  entry: Entry,
): Promise<PresignedRequest> => blobs.presignGet(entry, presignedSeconds)
