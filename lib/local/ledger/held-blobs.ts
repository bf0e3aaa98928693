/**
 * Verified bytes of small blobs that wait in memory for their entry, which takes them into its own record: one write and one wait for the
 * disk make both durable. Two concurrent stores of the same blob share one copy until both have a response.
 */
import { digestHex } from '../../domain/digest.ts'
import type { BlobId } from '../../domain/entry.ts'
import { formatRef } from '../../domain/identifiers.ts'
import { MIB } from '../../domain/limits.ts'

/** The number of bytes that may wait. */
const LIMIT_BYTES = 16 * MIB

export interface HeldBlobs {
  /** @returns false at the limit: the caller then writes a file. */
  hold(blob: BlobId, bytes: Uint8Array): boolean
  get(blob: BlobId): Uint8Array | undefined
  /** One store of the blob has its response. */
  release(blob: BlobId): void
  /** The blob has become a durable file. */
  forget(blob: BlobId): void
}

const keyOf = ({ ref, digest }: BlobId) => `${formatRef(ref)}/${digestHex(digest)}`

export function heldBlobs(): HeldBlobs {
  const held = new Map<string, { readonly bytes: Uint8Array; stores: number }>()
  let total = 0

  function remove(key: string): void {
    total -= held.get(key)?.bytes.byteLength ?? 0
    held.delete(key)
  }

  return {
    hold(blob, bytes) {
      const key = keyOf(blob)
      const known = held.get(key)
      if (known) {
        known.stores += 1
        return true
      }
      if (total + bytes.byteLength > LIMIT_BYTES) return false
      held.set(key, { bytes, stores: 1 })
      total += bytes.byteLength
      return true
    },
    get: (blob) => held.get(keyOf(blob))?.bytes,
    release(blob) {
      const key = keyOf(blob)
      const known = held.get(key)
      if (!known) return
      known.stores -= 1
      if (known.stores === 0) remove(key)
    },
    forget: (blob) => remove(keyOf(blob)),
  }
}
