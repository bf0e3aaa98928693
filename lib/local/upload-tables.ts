/**
 * The LMDB environment of uploads: their rows, the staging files of their parts, and the parts that arrived. The ledger is separate,
 * because rows here change and are removed, and ledger entries never are. A change is one transaction, durable before it is visible.
 */
import { type Database, open } from 'lmdb'
import { digestHex } from '../domain/digest.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { ReceivedPart, UploadId } from '../domain/upload.ts'
import { type InPlace, inPlaceCheck, uploadsRemedy } from './in-place.ts'
import { lmdbError } from './lmdb-failure.ts'
import type { StagingRow, UploadRow } from './upload-row.ts'

/** It is in place while its file is: rows that are written to one that was moved or removed are missing at the next start. */
export interface UploadTables extends InPlace {
  readonly rows: Database<UploadRow, Buffer>
  readonly stagingFiles: Database<StagingRow, Buffer>
  readonly parts: Database<ReceivedPart, Buffer>
  /**
   * Reads and writes (the `…Sync` functions) as one transaction.
   *
   * @throws BucketError `insufficient_storage`, `unavailable`; nothing has changed then.
   */
  transact<T>(work: () => T): Promise<T>
  /** Waits for transactions in progress. */
  close(): Promise<void>
}

/** @param path of the environment's file; its folder exists. */
export function openUploadTables(path: string): UploadTables {
  const encoding = { keyEncoding: 'binary', encoding: 'json' } as const
  // Not overlapping: a row is durable before it is visible. Batched by event turn, lmdb 3.5 would keep a promise of its own for each
  // batch, which no caller can catch when the disk is full: the process would die.
  const root = open({ path, overlappingSync: false, eventTurnBatching: false, ...encoding })
  const place = inPlaceCheck(path, 'file', uploadsRemedy('file'))
  return {
    ...place,
    rows: root.openDB({ name: 'rows', ...encoding }),
    stagingFiles: root.openDB({ name: 'places', ...encoding }),
    parts: root.openDB({ name: 'parts', ...encoding }),
    async transact(work) {
      place.assertInPlace()
      try {
        return await root.transaction(work)
      } catch (error) {
        throw await lmdbError({ name: 'the table of uploads', path }, error)
      }
    },
    close: () => root.close(),
  }
}

/** Everything in a key is ASCII. */
export const keyOf = (text: string): Buffer => Buffer.from(text, 'latin1')

/** One reference may have uploads of several digests. */
export const uploadKey = ({ ref, digest }: UploadId): Buffer =>
  keyOf(`${formatRef(ref)}/${digestHex(digest)}`)
