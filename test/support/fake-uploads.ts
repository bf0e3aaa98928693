/** A table of upload rows in memory that keeps the port's promises: compare-and-set on attempt and revision, nothing else. */
import { formatPinnedRef } from '../../lib/domain/identifiers.ts'
import type { UploadRecord, Uploads } from '../../lib/repository/upload-ports.ts'

export interface FakeUploads extends Uploads {
  /** Every row, expired ones too. */
  readonly rows: readonly UploadRecord[]
  /** Deletes expired rows, as the table's own cleanup does at any time. */
  sweep(now: number): void
}

export function fakeUploads(): FakeUploads {
  const rows = new Map<string, UploadRecord>()
  const isStill = (previous: UploadRecord) => {
    const row = rows.get(formatPinnedRef(previous.id))
    return row?.attempt === previous.attempt && row.revision === previous.revision
  }
  return {
    find: async (id) => rows.get(formatPinnedRef(id)),

    async write(next, previous) {
      if (previous && formatPinnedRef(previous.id) !== formatPinnedRef(next.id))
        throw new Error(
          `a write moves the row ${formatPinnedRef(previous.id)} to ${formatPinnedRef(next.id)}`,
        )
      if (previous && next.attempt === previous.attempt && next.revision === previous.revision)
        throw new Error(`a write of ${formatPinnedRef(next.id)} changes the row without a new revision`)
      if (previous ? !isStill(previous) : rows.has(formatPinnedRef(next.id))) return false
      rows.set(formatPinnedRef(next.id), Object.freeze({ ...next }))
      return true
    },

    async remove(previous) {
      if (!isStill(previous)) return false
      return rows.delete(formatPinnedRef(previous.id))
    },

    get rows() {
      return [...rows.values()]
    },

    sweep(now) {
      for (const [key, row] of rows) if (row.expiresAt <= now) rows.delete(key)
    },
  }
}
