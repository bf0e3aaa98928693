/**
 * Removes the leftovers of uploads: rows that have expired, and staging files that no upload will complete or promote.
 * Nothing under a final name is ever touched.
 */
import type { Clock } from '../repository/ports.ts'
import type { UploadRecord } from '../repository/upload-ports.ts'
import type { FolderStaging } from './folder-staging.ts'
import type { LmdbUploads } from './lmdb-uploads.ts'
import type { StagingTable } from './staging-table.ts'
import type { StagingFile } from './upload-row.ts'

export interface CleanUp {
  readonly uploads: LmdbUploads
  readonly staging: FolderStaging
  readonly table: StagingTable
  readonly clock: Clock
}

/** A staging file is created before the row that names it, in milliseconds. */
const BEGINNING_MS = 3_600_000

/** Safe while the server runs. @param minAge milliseconds for which a staging file without a row is kept. */
export async function cleanUp(parts: CleanUp, minAge = BEGINNING_MS): Promise<void> {
  const { uploads, staging, table, clock } = parts
  const now = clock()
  const expired = Array.from(uploads.all()).filter(({ expiresAt }) => expiresAt <= now)
  for (const row of expired) await uploads.remove(row)
  const old = Array.from(table.all()).filter(({ stagingFile }) => stagingFile.createdAt + minAge <= now)
  for (const { stagingId, stagingFile } of old) {
    const row = await uploads.find(stagingFile.id)
    if (!isUsed(stagingFile, row)) await staging.drop({ ...stagingFile, stagingId })
  }
}

const isUsed = (stagingFile: StagingFile, row: UploadRecord | undefined): boolean =>
  row?.attempt === stagingFile.attempt && (row.state === 'open' || row.state === 'verifying')
