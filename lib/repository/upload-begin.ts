/** Begins an upload, or finds it again (docs/http-api.md, section 7.1). */

import { versionExists } from '../domain/conflict.ts'
import { EMPTY_DIGEST } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import { defaultMode, GIB, MAX_SINGLE_BYTES, type UploadMode } from '../domain/limits.ts'
import type { Upload, UploadId, UploadTerms } from '../domain/upload.ts'
import { isRestorable } from './lost-blob.ts'
import type { LedgerReader } from './ports.ts'
import { retryWrites } from './retry-writes.ts'
import type { Staging, UploadRecord, Uploads } from './upload-ports.ts'
import { type NewUpload, newAttempt, openRecord, unexpired } from './upload-record.ts'
import { type Arrived, type UploadViewDependencies, viewForUploader } from './upload-state.ts'

export interface BeginRequest extends UploadTerms {
  readonly id: UploadId
}

export interface BeginDependencies extends UploadViewDependencies {
  readonly ledger: LedgerReader
  readonly uploads: Uploads
  readonly staging: Staging
  readonly maxArtifactBytes: number
}

/**
 * Begins an upload, or finds the unfinished one of the same reference and digest.
 *
 * @returns the upload, and whether it is new.
 * @throws BucketError `invalid_request`, `artifact_too_large`, `version_exists`, `upload_conflict` (another size).
 */
export async function beginUpload(
  deps: BeginDependencies,
  request: BeginRequest,
): Promise<{ created: boolean; upload: Upload }> {
  const { id, size, description } = request
  const { maxArtifactBytes } = deps
  const terms: NewUpload = { id, size, mode: chooseMode(request), description }
  if (size > maxArtifactBytes) throw BucketError.artifactTooLarge(size, maxArtifactBytes)
  const stored = await deps.ledger.find(id.ref)
  if (stored && !(await isRestorable(deps.blobs, stored, id.digest))) throw versionExists(id.digest, stored)

  // Most uploads are new: a row that must be absent can be written without reading it first.
  const { isNew, record, received } =
    (await openNew(deps, terms, undefined)) ?? (await retryWrites(() => findOrReopen(deps, terms)))
  const upload = await viewForUploader(deps, record, received)
  if (record.size !== size)
    throw new BucketError(
      'upload_conflict',
      `an unfinished upload of this digest has ${record.size} bytes, not ${size}`,
      { upload },
    )
  return { created: isNew, upload }
}

interface Found {
  readonly isNew: boolean
  readonly record: UploadRecord
  /** The received bytes or parts, if they are known. */
  readonly received: Arrived | undefined
}

/** The unfinished upload that a row describes. A finished row, or one whose upload cannot be finished, is replaced by a new attempt. */
async function findOrReopen(deps: BeginDependencies, terms: NewUpload): Promise<Found | undefined> {
  const row = await deps.uploads.find(terms.id)
  const record = unexpired(row, deps.clock())
  if (record?.state === 'committed') {
    const entry = await deps.ledger.find(record.id.ref)
    if (entry && !(await isRestorable(deps.blobs, entry, record.id.digest)))
      throw versionExists(record.id.digest, entry)
  } else if (record && record.state !== 'failed') {
    if (record.state !== 'open' || record.mode === 'single')
      return { isNew: false, record, received: undefined }
    // An open multipart upload whose staged parts have expired or were lost can never be finished.
    const received = await deps.staging.parts(record)
    if (received) return { isNew: false, record, received }
  }
  return openNew(deps, terms, row)
}

function chooseMode({ id, size, mode }: BeginRequest): UploadMode {
  if (size === 0 && id.digest !== EMPTY_DIGEST)
    throw BucketError.invalidRequest([
      { name: 'size', detail: `is 0, but the digest of zero bytes is ${EMPTY_DIGEST}` },
    ])
  if (size === 0) return 'single'
  if (mode === 'single' && size > MAX_SINGLE_BYTES)
    throw BucketError.invalidRequest([
      { name: 'mode', detail: `single is possible up to ${MAX_SINGLE_BYTES / GIB} GiB: use multipart` },
    ])
  return mode ?? defaultMode(size)
}

/** Prepares the staging area first, then writes the row that names it. Without a row no part arrives there, and it expires. */
async function openNew(
  { uploads, staging, clock }: BeginDependencies,
  terms: NewUpload,
  previous: UploadRecord | undefined,
): Promise<Found | undefined> {
  const attempt = newAttempt()
  const stagingId = terms.mode === 'single' ? null : await staging.begin(terms.id, attempt, terms.size)
  const record = openRecord(terms, attempt, stagingId, clock(), previous)
  const isWritten = await uploads.write(record, previous)
  const unused = isWritten ? previous : record
  if (unused && unused.stagingId !== null) await staging.drop(unused).catch(() => undefined) // it expires anyway
  return isWritten ? { isNew: true, record, received: terms.mode === 'single' ? false : [] } : undefined
}
