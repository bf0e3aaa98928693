/** Begins an upload, or finds it again (docs/http-api.md, section 7.1). */
import type { Description } from '../domain/description.ts'
import { BucketError } from '../domain/errors.ts'
import { defaultMode, GIB, MAX_SINGLE_BYTES, type UploadMode } from '../domain/limits.ts'
import type { Upload, UploadId } from '../domain/upload.ts'
import { versionExists } from './conflict.ts'
import type { LedgerReader } from './ports.ts'
import { retryWrites } from './retry-writes.ts'
import type { Staging, UploadRecord, Uploads } from './upload-ports.ts'
import { newAttempt, openRecord, type UploadTerms, unexpired } from './upload-record.ts'
import { type UploadViewDependencies, viewForUploader } from './upload-state.ts'

export interface BeginRequest {
  readonly id: UploadId
  readonly size: number
  readonly mode: UploadMode | undefined
  readonly description: Description
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
  const terms: UploadTerms = { id, size, mode: chooseMode(request), description }
  if (size > maxArtifactBytes)
    throw new BucketError(
      'artifact_too_large',
      `${size} bytes exceed the limit of ${maxArtifactBytes} bytes for one artifact`,
      { size, maxArtifactBytes },
    )
  const stored = await deps.ledger.find(id.ref)
  if (stored) throw versionExists(id.digest, stored)

  const { created, record } = await retryWrites(async () => {
    const row = await deps.uploads.find(id)
    const existing = unexpired(row, deps.clock())
    if (existing?.state === 'committed') {
      const entry = await deps.ledger.find(id.ref)
      if (entry) throw versionExists(id.digest, entry)
    } else if (existing && existing.state !== 'failed' && (await isUsable(deps, existing)))
      return { created: false, record: existing }
    return openNew(deps, terms, row)
  })
  const upload = await viewForUploader(deps, record)
  if (record.size !== size)
    throw new BucketError(
      'upload_conflict',
      `an unfinished upload of this digest has ${record.size} bytes, not ${size}`,
      { upload },
      { next: 'Abort the existing upload with DELETE, then begin again.' },
    )
  return { created, upload }
}

/** An open multipart upload whose staging place is gone (expired early, dropped by hand) can never be finished. */
const isUsable = async ({ staging }: BeginDependencies, record: UploadRecord): Promise<boolean> =>
  record.state !== 'open' || record.mode === 'single' || (await staging.parts(record)) !== undefined

function chooseMode({ size, mode }: BeginRequest): UploadMode {
  if (size === 0) return 'single'
  if (mode === 'single' && size > MAX_SINGLE_BYTES)
    throw BucketError.invalidRequest([
      { name: 'mode', detail: `single is possible up to ${MAX_SINGLE_BYTES / GIB} GiB: use multipart` },
    ])
  return mode ?? defaultMode(size)
}

/** Opens the staging place first, then writes the row that names it: a place that no row names holds no bytes and expires. */
async function openNew(
  { uploads, staging, clock }: BeginDependencies,
  terms: UploadTerms,
  previous: UploadRecord | undefined,
): Promise<{ created: true; record: UploadRecord } | undefined> {
  const attempt = newAttempt()
  const stagingId = terms.mode === 'single' ? null : await staging.begin(terms.id, attempt, terms.size)
  const record = openRecord(terms, attempt, stagingId, clock(), previous)
  const isWritten = await uploads.write(record, previous)
  const unused = isWritten ? previous : record
  if (unused && unused.stagingId !== null) await staging.drop(unused).catch(() => undefined) // it expires anyway
  return isWritten ? { created: true, record } : undefined
}
