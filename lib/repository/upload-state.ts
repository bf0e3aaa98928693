/**
 * The state of an upload, as callers see it. The ledger takes precedence over the row: if it has the digest, the upload is
 * committed; if it has the version with other bytes, the upload has failed. One upload is shown by its row although the ledger has the
 * digest: the one that restores a lost blob.
 */

import { versionExists } from '../domain/conflict.ts'
import { descriptionOf } from '../domain/description.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError, toFailure } from '../domain/errors.ts'
import type { UploadFailure } from '../domain/failure.ts'
import { formatRef } from '../domain/identifiers.ts'
import { defaultMode } from '../domain/limits.ts'
import type { ReceivedPart, Upload, UploadId } from '../domain/upload.ts'
import { isRestorable } from './lost-blob.ts'
import type { BlobInspector, Clock, LedgerReader, StorePresigner } from './ports.ts'
import type { StagingReader, UploadRecord, UploadsReader } from './upload-ports.ts'
import { unexpired } from './upload-record.ts'

/** The stores that know what has arrived. */
export interface ArrivalPorts {
  readonly blobs: BlobInspector
  readonly staging: StagingReader
}

export interface UploadStateDependencies extends ArrivalPorts {
  readonly ledger: LedgerReader
  readonly uploads: UploadsReader
  readonly clock: Clock
}

/**
 * The state of an upload; writes nothing.
 *
 * @throws BucketError `upload_not_found` (docs/http-api.md, section 7.4).
 */
export async function uploadState(deps: UploadStateDependencies, id: UploadId): Promise<Upload> {
  const [row, first] = await Promise.all([deps.uploads.find(id), deps.ledger.find(id.ref)])
  const record = unexpired(row, deps.clock())
  // The ledger may have been read just before the commit that the row reports.
  const isLate = first === undefined && record?.state === 'committed'
  const entry = isLate ? await deps.ledger.find(id.ref) : first
  if (entry?.digest === id.digest) {
    const isOver = record === undefined || record.state === 'committed'
    if (isOver || !(await isRestorable(deps.blobs, entry, id.digest))) return committedUpload(entry, record)
    return viewRecord(deps, record)
  }
  if (!record) throw uploadNotFound(id)
  if (entry && record.state !== 'failed')
    return { ...factsOf(record), state: 'failed', failure: toFailure(versionExists(id.digest, entry)) }
  return viewRecord(deps, record)
}

export const uploadNotFound = (id: UploadId): BucketError<'upload_not_found'> =>
  new BucketError(
    'upload_not_found',
    `there is no unfinished upload of ${id.digest} to ${formatRef(id.ref)}`,
    {},
  )

export interface UploadViewDependencies extends ArrivalPorts {
  readonly blobs: BlobInspector & StorePresigner
  readonly clock: Clock
  /** How long presigned requests live, in seconds: at most an hour. */
  readonly presignedSeconds: number
}

/** What has arrived of an open upload: its parts, or whether its bytes are there. */
export type Arrived = readonly ReceivedPart[] | boolean

/**
 * A row as the uploader sees it: an open single upload includes the request that stores its bytes.
 *
 * @param arrived saves a call if it is known.
 */
export async function viewForUploader(
  deps: UploadViewDependencies,
  record: UploadRecord,
  arrived?: Arrived,
): Promise<Upload> {
  const upload = await viewRecord(deps, record, arrived)
  if (upload.state !== 'open' || upload.mode !== 'single') return upload
  const { id, size, description } = record
  const seconds = presignedSeconds(deps, record)
  return { ...upload, request: await deps.blobs.presignPut(id, size, description, seconds) }
}

/** A row as every caller sees it. For an open upload, asks the staging area or the blob store what has arrived, unless that is known. */
export async function viewRecord(
  deps: ArrivalPorts,
  record: UploadRecord,
  arrived?: Arrived,
): Promise<Upload> {
  const facts = factsOf(record)
  switch (record.state) {
    case 'verifying':
      return { ...facts, state: 'verifying', verifiedBytes: record.verifiedBytes }
    case 'failed':
      return { ...facts, state: 'failed', failure: failureOf(record) }
    case 'committed':
      throw new Error(`the row of ${formatRef(record.id.ref)} is committed, but the ledger has no entry`)
    case 'open': {
      if (record.mode === 'single') {
        const received = arrived === true || (arrived === undefined && (await hasArrived(deps, record)))
        return { ...facts, state: 'open', mode: 'single', received }
      }
      const received = Array.isArray(arrived) ? arrived : await deps.staging.parts(record)
      return { ...facts, state: 'open', mode: 'multipart', received: received ?? [] }
    }
  }
}

/** A blob of another size is the remnant of a lost one. */
async function hasArrived({ blobs }: ArrivalPorts, { id, size }: UploadRecord): Promise<boolean> {
  const blob = await blobs.inspect(id)
  return blob.found && blob.size === size
}

/** A presigned request ends no later than its upload. */
export const presignedSeconds = (
  deps: Pick<UploadViewDependencies, 'clock' | 'presignedSeconds'>,
  record: UploadRecord,
): number =>
  Math.max(1, Math.min(deps.presignedSeconds, Math.floor((record.expiresAt - deps.clock()) / 1000)))

/** Why the upload of a failed row failed. */
export const failureOf = ({ failure }: UploadRecord): UploadFailure =>
  failure ?? {
    code: 'unavailable',
    detail: 'the upload failed for a reason that its row does not name',
    details: {},
  }

const factsOf = ({ id, size, description, mode, expiresAt }: UploadRecord) => ({
  id,
  size,
  description,
  mode,
  expiresAt: new Date(expiresAt).toISOString(),
})

/** An upload whose entry is in the ledger. Its mode and expiry come from its row, if there is one; the rest comes from the entry. */
export const committedUpload = (entry: Entry, record: UploadRecord | undefined): Upload => ({
  id: { ref: entry.ref, digest: entry.digest },
  size: entry.size,
  description: descriptionOf(entry),
  mode: record?.mode ?? defaultMode(entry.size),
  expiresAt: record ? new Date(record.expiresAt).toISOString() : entry.createdAt,
  state: 'committed',
  entry,
})
