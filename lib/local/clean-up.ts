/**
 * Removes what uploads leave behind: rows that have expired, and places for parts that nobody will complete or promote any more.
 * Nothing under a final name is ever touched.
 */
import type { Clock } from '../repository/ports.ts'
import type { UploadRecord } from '../repository/upload-ports.ts'
import type { FolderStaging } from './folder-staging.ts'
import type { LmdbUploads } from './lmdb-uploads.ts'
import type { PartsTable } from './parts-table.ts'
import type { PlaceRow } from './upload-tables.ts'

export interface CleanUp {
  readonly uploads: LmdbUploads
  readonly staging: FolderStaging
  readonly table: PartsTable
  readonly clock: Clock
}

/** A place is made before the row that names it; milliseconds. */
const BEGINNING_MS = 3_600_000

/** Safe at any time, beside everything else. @param minAge milliseconds that a place without a row is left alone. */
export async function cleanUp(parts: CleanUp, minAge = BEGINNING_MS): Promise<void> {
  const { uploads, staging, table, clock } = parts
  const now = clock()
  const expired = Array.from(uploads.all()).filter(({ expiresAt }) => expiresAt <= now)
  for (const row of expired) await uploads.remove(row)
  const old = Array.from(table.all()).filter(({ place }) => place.createdAt + minAge <= now)
  for (const { stagingId, place } of old) {
    const row = await uploads.find(place.id)
    if (!isUsed(place, row)) await staging.drop({ ...place, stagingId })
  }
}

const isUsed = (place: PlaceRow, row: UploadRecord | undefined): boolean =>
  row?.attempt === place.attempt && (row.state === 'open' || row.state === 'verifying')
