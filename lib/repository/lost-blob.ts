/**
 * A stored version whose blob is missing or has another size. A store or an upload of the same bytes restores such a blob instead of
 * being refused as a conflict (docs/http-api.md, section 4), because the sender may hold the last good copy.
 */
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { BlobInspector } from './ports.ts'

/** Whether the bytes of `digest` would restore the blob of a stored version. Asks the blob store only if they are the same bytes. */
export async function isRestorable(blobs: BlobInspector, stored: Entry, digest: Digest): Promise<boolean> {
  if (stored.digest !== digest) return false
  const blob = await blobs.inspect(stored)
  return !blob.found || blob.size !== stored.size
}
