/** Aborts an upload (docs/http-api.md, section 7.5): removes its row first, then its parts. Nothing else is ever deleted. */
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { UploadId } from '../domain/upload.ts'
import { isRestorable } from './lost-blob.ts'
import { retryWrites } from './retry-writes.ts'
import type { Staging, Uploads } from './upload-ports.ts'
import { unexpired } from './upload-record.ts'
import { committedUpload, type UploadStateDependencies, uploadNotFound, viewRecord } from './upload-state.ts'

export interface AbortDependencies extends UploadStateDependencies {
  readonly uploads: Uploads
  readonly staging: Staging
}

/** @throws BucketError `upload_not_found`; `upload_conflict` while it is being verified or once it is committed. */
export async function abortUpload(deps: AbortDependencies, id: UploadId): Promise<void> {
  const removed = await retryWrites(async () => {
    const record = unexpired(await deps.uploads.find(id), deps.clock())
    const stored = await deps.ledger.find(id.ref)
    // An open upload that is to restore a lost blob can be aborted like any other.
    if (stored?.digest === id.digest && !(record && (await isRestorable(deps.blobs, stored, id.digest))))
      throw new BucketError('upload_conflict', `the upload to ${formatRef(id.ref)} is committed`, {
        upload: committedUpload(stored, record),
      })
    if (!record) throw uploadNotFound(id)
    if (record.state === 'verifying' && record.leaseUntil > deps.clock())
      throw new BucketError('upload_conflict', `the upload to ${formatRef(id.ref)} is being verified`, {
        upload: await viewRecord(deps, record),
      })
    return (await deps.uploads.remove(record)) ? record : undefined
  })
  if (removed.stagingId !== null) await deps.staging.drop(removed).catch(() => undefined) // it expires anyway
}
