/**
 * Blobs that are too small to be worth a file. They are in the ledger's LMDB environment, so that a blob and the entry that makes it
 * visible reach the disk in one transaction: half of what a file of its own, its folder and the entry would cost one after the other.
 */
import type { Database } from 'lmdb'
import { digestHex } from '../domain/digest.ts'
import { formatRef } from '../domain/identifiers.ts'
import { KIB } from '../domain/limits.ts'
import type { BlobId } from '../repository/ports.ts'
import type { Commits } from './group-commit.ts'

/** The largest blob that is kept here, in bytes: four pages of a database that everything else must fit beside. */
export const SMALL_BLOB_BYTES = 16 * KIB

export interface SmallBlobs {
  /** Hands verified bytes in for the open group of commits. @returns a promise of their durability. */
  put(blob: BlobId, bytes: Uint8Array): Promise<void>
  /** Bytes that are on disk, or on their way there. */
  get(blob: BlobId): Uint8Array | undefined
  /**
   * What to wait for before an entry of the blob may be handed in: nothing when the bytes are on disk already, or will be by the same
   * transaction as the entry; else that they are on disk.
   *
   * @throws BucketError when they will never be.
   */
  beforeEntry(blob: BlobId): Promise<void> | undefined
  /** Waits for bytes on their way. @throws BucketError when they will never arrive. */
  settled(blob: BlobId): Promise<void>
}

interface OnItsWay {
  readonly bytes: Uint8Array
  readonly group: number
  readonly durable: Promise<void>
}

/** `bucket/artifact/version/hex`: the versions of an artifact stay beside each other. */
export const smallBlobKey = ({ ref, digest }: BlobId): string => `${formatRef(ref)}/${digestHex(digest)}`
const binary = (key: string): Buffer => Buffer.from(key, 'latin1')

export function smallBlobs(table: Database<Buffer, Buffer>, commits: Commits): SmallBlobs {
  const onTheirWay = new Map<string, OnItsWay>()
  return {
    put(blob, bytes) {
      const key = smallBlobKey(blob)
      const { group } = commits
      const durable = commits.run(() => void table.putSync(binary(key), Buffer.from(bytes)))
      const entry = { bytes, group, durable }
      onTheirWay.set(key, entry)
      const forget = () => {
        if (onTheirWay.get(key) === entry) onTheirWay.delete(key)
      }
      durable.then(forget, forget)
      return durable
    },
    get(blob) {
      const key = smallBlobKey(blob)
      return onTheirWay.get(key)?.bytes ?? table.getBinary(binary(key))
    },
    beforeEntry(blob) {
      const entry = onTheirWay.get(smallBlobKey(blob))
      return entry === undefined || entry.group === commits.group ? undefined : entry.durable
    },
    settled: async (blob) => onTheirWay.get(smallBlobKey(blob))?.durable,
  }
}
