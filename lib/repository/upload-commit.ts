/**
 * Commits an upload (docs/http-api.md, section 7.3). The row changes first, by compare-and-set; then the staging area; then the
 * queue. If a step fails, the same call again finds the row and continues from it.
 */

import { versionExists } from '../domain/conflict.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError, toError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { MAX_PARTS_PER_REQUEST, partCount, sizeOfPart } from '../domain/limits.ts'
import type { ReceivedPart, Upload, UploadId } from '../domain/upload.ts'
import { isRestorable } from './lost-blob.ts'
import type { BlobState, Ledger } from './ports.ts'
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
  return retryWrites(async () => {
    const record = unexpired(await deps.uploads.find(id), deps.clock())
    const blob = record && isSingleToCommit(record, deps.clock()) ? await deps.blobs.inspect(id) : undefined
    // Append is the first to say whether the version is free. Every other path asks the ledger before it decides anything.
    if (record && blob?.found && blob.attested && blob.size === record.size)
      return appendAttested(deps, record, request)
    const stored = await deps.ledger.find(id.ref)
    if (stored && !(await isRestorable(deps.blobs, stored, id.digest)))
      return closeDecided(deps, record, id, stored)
    // Without this upload's bytes, a lost blob stays lost: the entry alone does not make it stored.
    if (!record || (stored && record.state === 'committed')) throw uploadNotFound(id)
    switch (record.state) {
      case 'failed':
        throw toError(failureOf(record))
      case 'committed':
        return findCommitted(deps, id)
      case 'verifying':
      case 'open':
        // An earlier commit may have stopped anywhere: without a lease holder, this one repeats all of it.
        if (isHeld(record, deps.clock())) return underVerification(deps, record)
        return blob ? commitUnattested(deps, record, blob) : commitMultipart(deps, record)
    }
  })
}

const isSingleToCommit = (record: UploadRecord, now: number): boolean =>
  record.mode === 'single' &&
  (record.state === 'open' || record.state === 'verifying') &&
  !isHeld(record, now)

const underVerification = async (deps: CommitDependencies, record: UploadRecord): Promise<CommitResult> => ({
  outcome: 'verifying',
  upload: await viewRecord(deps, record),
})

/** The ledger has an entry for the version, of this upload or of another request: ends the row and drops what it staged. */
async function closeDecided(
  deps: CommitDependencies,
  record: UploadRecord | undefined,
  id: UploadId,
  stored: Entry,
): Promise<CommitResult> {
  // For later readers of the row, and to free its parts. The ledger has decided without it.
  if (record) await close(deps, record, stored).catch(() => undefined)
  if (stored.digest === id.digest) return { outcome: 'found', entry: stored }
  throw versionExists(id.digest, stored)
}

async function close(deps: CommitDependencies, record: UploadRecord, stored: Entry): Promise<void> {
  if (record.state !== 'open' && record.state !== 'verifying') return
  if (isHeld(record, deps.clock())) return // the lease holder ends it
  const { digest } = record.id
  const next = stored.digest === digest ? committed(record) : failed(record, versionExists(digest, stored))
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
 * The row changes before the ledger, so that a late commit cannot append an upload that was aborted in the meantime, and again
 * after it, so that the row does not look like unfinished work.
 */
async function appendAttested(
  deps: CommitDependencies,
  record: UploadRecord,
  { id, commitId }: CommitRequest,
): Promise<CommitResult | undefined> {
  const moved = verifying(record, deps.clock())
  if (!(await deps.uploads.write(moved, record))) return undefined
  if (deps.clock() >= moved.leaseUntil) return undefined
  const { appended, entry } = await deps.ledger.append(entryOf(moved, deps.clock()), commitId)
  const result = await closeDecided(deps, moved, id, entry)
  return appended ? { outcome: 'created', entry } : result
}

async function commitUnattested(
  deps: CommitDependencies,
  record: UploadRecord,
  blob: BlobState,
): Promise<CommitResult | undefined> {
  const { id, size } = record
  if (!blob.found && record.state === 'open')
    throw new BucketError(
      'upload_incomplete',
      `no bytes have arrived for ${formatRef(id.ref)}`,
      { received: false, missing: [] },
      { next: 'Send the bytes with the request of the upload, then commit again.' },
    )
  if (!blob.found || blob.size === size) return startVerification(deps, record)
  const error = new BucketError(
    'digest_mismatch',
    `${blob.size} bytes are stored where ${size} were announced`,
    { declaredDigest: id.digest, size: blob.size },
  )
  if (!(await deps.uploads.write(failed(record, error), record))) return undefined
  throw error
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
