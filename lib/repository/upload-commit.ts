/**
 * Commits an upload (docs/http-api.md, section 7.3). The row changes first, by compare-and-set; then the staging area; then the
 * queue. If a step fails, the same call again finds the row and continues from it.
 */
import type { Entry } from '../domain/entry.ts'
import { BucketError, toError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { MAX_PARTS_PER_REQUEST, partCount, sizeOfPart } from '../domain/limits.ts'
import type { ReceivedPart, Upload, UploadId } from '../domain/upload.ts'
import { versionExists } from './conflict.ts'
import type { Ledger } from './ports.ts'
import { retryWrites } from './retry-writes.ts'
import type { Staging, UploadRecord, Uploads, VerificationQueue } from './upload-ports.ts'
import { changed, committed, entryOf, failed, isHeld, unexpired, verifying } from './upload-record.ts'
import { failureOf, type UploadStateDependencies, uploadNotFound, viewRecord } from './upload-state.ts'

export interface CommitDependencies extends UploadStateDependencies {
  readonly ledger: Ledger
  readonly uploads: Uploads
  readonly staging: Staging
  readonly queue: VerificationQueue
}

export interface CommitRequest {
  readonly id: UploadId
  /** Names this request in the ledger (`LedgerWriter.append`). */
  readonly commitId: string
}

export type CommitResult =
  /** This call made the artifact visible. */
  | { readonly outcome: 'created'; readonly entry: Entry }
  /** The ledger holds this digest already. */
  | { readonly outcome: 'found'; readonly entry: Entry }
  /** The bytes must still be read to check the whole digest. */
  | { readonly outcome: 'verifying'; readonly upload: Upload }

/**
 * @throws BucketError `upload_not_found`, `upload_incomplete`, `version_exists`, `digest_mismatch`, or the failure of a failed upload.
 */
export async function commitUpload(deps: CommitDependencies, request: CommitRequest): Promise<CommitResult> {
  const { id } = request
  const stored = await deps.ledger.find(id.ref)
  if (stored) {
    // Updates the row for later readers and frees what it staged. The ledger has decided without it.
    await closeAfterConflict(deps, id, stored).catch(() => undefined)
    if (stored.digest === id.digest) return { outcome: 'found', entry: stored }
    throw versionExists(id.digest, stored)
  }
  return retryWrites(async () => {
    const record = unexpired(await deps.uploads.find(id), deps.clock())
    if (!record) throw uploadNotFound(id)
    switch (record.state) {
      case 'failed':
        throw toError(failureOf(record))
      case 'committed':
        return findCommitted(deps, id)
      case 'verifying':
        if (isHeld(record, deps.clock())) return underVerification(deps, record)
        // An earlier commit may have stopped anywhere: this one repeats all of it.
        return commitRecord(deps, record, request)
      case 'open':
        return commitRecord(deps, record, request)
    }
  })
}

const commitRecord = (deps: CommitDependencies, record: UploadRecord, request: CommitRequest) =>
  record.mode === 'single' ? commitSingle(deps, record, request) : commitMultipart(deps, record)

const underVerification = async (deps: CommitDependencies, record: UploadRecord): Promise<CommitResult> => ({
  outcome: 'verifying',
  upload: await viewRecord(deps, record),
})

/** The version is stored, by this upload or by another request: ends the upload's row, and drops what it staged. */
async function closeAfterConflict(deps: CommitDependencies, id: UploadId, stored: Entry): Promise<void> {
  const record = unexpired(await deps.uploads.find(id), deps.clock())
  if (record?.state !== 'open' && record?.state !== 'verifying') return
  if (isHeld(record, deps.clock())) return // the lease holder ends it
  const next =
    stored.digest === id.digest ? committed(record) : failed(record, versionExists(id.digest, stored))
  if ((await deps.uploads.write(next, record)) && record.mode === 'multipart') await deps.staging.drop(record)
}

/** The row says committed, so the ledger has an entry; it was read before the row. */
async function findCommitted(deps: CommitDependencies, id: UploadId): Promise<CommitResult> {
  const entry = await deps.ledger.find(id.ref)
  if (entry?.digest === id.digest) return { outcome: 'found', entry }
  throw entry ? versionExists(id.digest, entry) : uploadNotFound(id)
}

/**
 * S3, or the local blob endpoint, checked the whole digest as the bytes arrived: an attested blob is not read again.
 * The row changes before the ledger, so that a late commit cannot append an upload that was aborted in the meantime.
 */
async function commitSingle(
  deps: CommitDependencies,
  record: UploadRecord,
  { commitId }: CommitRequest,
): Promise<CommitResult | undefined> {
  const { id, size } = record
  const blob = await deps.blobs.inspect(id)
  if (!blob.found && record.state === 'open')
    throw new BucketError(
      'upload_incomplete',
      `no bytes have arrived for ${formatRef(id.ref)}`,
      { received: false, missing: [] },
      { next: 'Send the bytes with the request of the upload, then commit again.' },
    )
  if (blob.found && blob.size !== size) {
    const error = new BucketError(
      'digest_mismatch',
      `${blob.size} bytes are stored where ${size} were announced`,
      { declaredDigest: id.digest, size: blob.size },
    )
    if (!(await deps.uploads.write(failed(record, error), record))) return undefined
    throw error
  }
  if (!blob.found || !blob.attested) return startVerification(deps, record)

  const moved = verifying(record, deps.clock())
  if (!(await deps.uploads.write(moved, record))) return undefined
  if (deps.clock() >= moved.leaseUntil) return undefined
  const result = await deps.ledger.append(entryOf(moved, deps.clock()), commitId)
  const isOurs = result.entry.digest === id.digest
  const next = isOurs ? committed(moved) : failed(moved, versionExists(id.digest, result.entry))
  // The ledger has decided; the row only reports it.
  await deps.uploads.write(next, moved).catch(() => undefined)
  if (!isOurs) throw versionExists(id.digest, result.entry)
  return { outcome: result.appended ? 'created' : 'found', entry: result.entry }
}

async function commitMultipart(
  deps: CommitDependencies,
  record: UploadRecord,
): Promise<CommitResult | undefined> {
  // Undefined when the parts are joined already, by a concurrent commit or by one whose response was lost.
  const parts = await deps.staging.parts(record)
  const missing = parts && record.state === 'open' ? missingParts(record.size, parts) : []
  if (parts && missing.length > 0) throw uploadIncomplete(record, parts, missing)
  return startVerification(deps, record, parts)
}

/** The numbers of all parts that have not arrived whole. */
function missingParts(size: number, parts: readonly ReceivedPart[]): readonly number[] {
  const sizes = new Map(parts.map((part) => [part.number, part.size]))
  const numbers = Array.from({ length: partCount(size) }, (_, at) => at + 1)
  return numbers.filter((number) => sizes.get(number) !== sizeOfPart(size, number))
}

const uploadIncomplete = (
  { size }: UploadRecord,
  received: readonly ReceivedPart[],
  missing: readonly number[],
) =>
  new BucketError(
    'upload_incomplete',
    missing.length > 0
      ? `${missing.length} of ${partCount(size)} parts have not arrived`
      : 'the parts could not be joined, because one was replaced in the meantime',
    { received, missing: missing.slice(0, MAX_PARTS_PER_REQUEST) },
  )

/** @param parts to join; undefined when they are joined already, or in single mode. */
async function startVerification(
  deps: CommitDependencies,
  record: UploadRecord,
  parts?: readonly ReceivedPart[],
): Promise<CommitResult | undefined> {
  const moved = verifying(record, deps.clock())
  if (!(await deps.uploads.write(moved, record))) return undefined
  if (parts && (await deps.staging.complete(moved, parts)) === 'incomplete') {
    await deps.uploads.write(changed(moved, { state: 'open', leaseUntil: 0 }), moved)
    throw uploadIncomplete(moved, parts, [])
  }
  await deps.queue.send(moved)
  return underVerification(deps, moved)
}
