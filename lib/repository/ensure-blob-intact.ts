/**
 * Invariant I1: a blob that already has its final name counts only if it is proven to be the bytes of its digest.
 * A blob that the store attests counts at once; of any other, every byte is read and hashed in place.
 */
import { createHash } from 'node:crypto'
import { digestFromHex } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { BlobInspector, BlobReader } from './ports.ts'

/**
 * @param size the bytes that the blob must have.
 * @throws BucketError `unavailable` when other bytes have the name: only an operator may replace them.
 */
export async function ensureBlobIntact(
  blobs: BlobInspector & BlobReader,
  blob: BlobId,
  size: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!(await isBlobIntact(blobs, blob, size, signal))) throw nameTaken(blob)
}

/** @returns false when other bytes have the name. */
export async function isBlobIntact(
  blobs: BlobInspector & BlobReader,
  blob: BlobId,
  size: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const state = await blobs.inspect(blob)
  if (!state.found)
    throw BucketError.unavailable(`the blob of ${formatRef(blob.ref)} vanished while it was stored`)
  return state.size === size && (state.attested || (await hashInPlace(blobs, blob, signal)) === blob.digest)
}

export const nameTaken = ({ ref }: BlobId): BucketError<'unavailable'> =>
  BucketError.needsOperator(
    `the name of the blob of ${formatRef(ref)} is taken by other bytes`,
    'other bytes have the name of this blob, and must be removed first',
  )

async function hashInPlace(blobs: BlobReader, blob: BlobId, signal: AbortSignal | undefined) {
  const hash = createHash('sha256')
  for await (const chunk of await blobs.read(blob, undefined, signal)) hash.update(chunk)
  return digestFromHex(hash.digest('hex'))
}
