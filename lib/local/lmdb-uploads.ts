/** The rows of uploads in LMDB: compared and set in one transaction, so that exactly one of several concurrent changes wins. */
import type { HealthCheck } from '../repository/ports.ts'
import type { UploadRecord, Uploads } from '../repository/upload-ports.ts'
import { uploadFromRow, uploadRow } from './upload-row.ts'
import { type UploadTables, uploadKey } from './upload-tables.ts'

export interface LmdbUploads extends Uploads, HealthCheck {
  /** Every row, expired ones too. */
  all(): Iterable<UploadRecord>
}

export function lmdbUploads({ rows, transact, assertInPlace }: UploadTables): LmdbUploads {
  /** Call it inside of a transaction. */
  const isStill = (key: Buffer, previous: UploadRecord | undefined): boolean => {
    const row = rows.get(key)
    return row?.attempt === previous?.attempt && row?.revision === previous?.revision
  }
  return {
    async find(id) {
      const row = rows.get(uploadKey(id))
      return row && uploadFromRow(row)
    },

    write(next, previous) {
      const key = uploadKey(next.id)
      return transact(() => {
        if (!isStill(key, previous)) return false
        rows.putSync(key, uploadRow(next))
        return true
      })
    },

    remove(previous) {
      const key = uploadKey(previous.id)
      return transact(() => {
        if (!isStill(key, previous)) return false
        rows.removeSync(key)
        return true
      })
    },

    async check() {
      assertInPlace()
    },

    *all() {
      for (const { value } of rows.getRange()) yield uploadFromRow(value)
    },
  }
}
