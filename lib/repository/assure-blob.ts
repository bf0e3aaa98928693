/**
 * Invariant I1: a blob that is already there under its final name counts only when it is proven to be the bytes of its digest.
 * Attested by the store, it counts at once; otherwise every byte is read and hashed in place.
 */
import { createHash } from 'node:crypto'
import { digestFromHex } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { BlobId, BlobStore } from './ports.ts'

/**
 * @param size the bytes that the blob must have.
 * @throws BucketError `unavailable` when the name is taken by other bytes: nothing may replace them but an operator.
 */
export async function assureBlob(
  blobs: BlobStore,
  blob: BlobId,
  size: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const state = await blobs.inspect(blob)
  if (!state.found)
    throw BucketError.unavailable(`the blob of ${formatRef(blob.ref)} vanished while it was stored`)
  if (state.size === size && (state.attested || (await hashInPlace(blobs, blob, signal)) === blob.digest))
    return
  throw BucketError.unavailable(
    `the name of the blob of ${formatRef(blob.ref)} is taken by other bytes: an operator must remove them`,
  )
}

async function hashInPlace(blobs: BlobStore, blob: BlobId, signal: AbortSignal | undefined) {
  const hash = createHash('sha256')
  for await (const chunk of await blobs.read(blob, undefined, signal)) hash.update(chunk)
  return digestFromHex(hash.digest('hex'))
}
