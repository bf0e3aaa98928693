/**
 * Committing an upload (docs/http-api.md, section 7.3), and giving it up (7.5).
 * The row moves first, by compare-and-set; then the staging area; then the queue. Whatever breaks in between, the same call again
 * finds the row and goes on.
 */
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { MAX_PARTS_PER_REQUEST, partCount, sizeOfPart } from '../domain/limits.ts'
import type { UploadMessage } from '../protocol/messages.ts'
import { versionExists } from './conflict.ts'
import type { Call } from './ports.ts'
import { retryWrites } from './retry-writes.ts'
import type { ReceivedPart, UploadId, UploadRecord } from './upload-ports.ts'
import {
  changed,
  committed,
  entryOf,
  failed,
  isHeld,
  live,
  type UploadDependencies,
  verifying,
} from './upload-record.ts'
import { committedMessage, revive, uploadMessage, uploadNotFound } from './upload-view.ts'

export type CommitResult =
  /** This call made the artifact visible. */
  | { readonly outcome: 'created'; readonly entry: Entry }
  /** The ledger holds this digest already. */
  | { readonly outcome: 'found'; readonly entry: Entry }
  /** The bytes must still be read to check the whole digest. */
  | { readonly outcome: 'verifying'; readonly upload: UploadMessage }

/**
 * @throws BucketError `upload_not_found`, `upload_incomplete`, `version_exists`, `digest_mismatch`, or what made the upload fail.
 */
export async function commitUpload(
  deps: UploadDependencies,
  id: UploadId,
  call: Call,
): Promise<CommitResult> {
  const stored = await call.time('ledger', deps.ledger.find(id.ref))
  if (stored) {
    // For whoever looks at the upload later, and to free what it staged; the ledger has decided without it.
    await call.time('uploads', endDecided(deps, id, stored)).catch(() => undefined)
    if (stored.digest === id.digest) return { outcome: 'found', entry: stored }
    throw versionExists(id.digest, stored)
  }
  return retryWrites(async () => {
    const record = live(await call.time('uploads', deps.uploads.find(id)), deps.clock())
    if (!record) throw uploadNotFound(id)
    switch (record.state) {
      case 'failed':
        throw record.problem ? revive(record.problem) : uploadNotFound(id)
      case 'committed':
        return found(deps, id, call)
      case 'verifying':
        if (isHeld(record, deps.clock()))
          return { outcome: 'verifying', upload: await uploadMessage(deps, record, call) }
        // An earlier commit may have stopped anywhere: this one does all of it again.
        return commitRecord(deps, record, call)
      case 'open':
        return commitRecord(deps, record, call)
    }
  })
}

const commitRecord = (deps: UploadDependencies, record: UploadRecord, call: Call) =>
  record.mode === 'single' ? commitSingle(deps, record, call) : commitMultipart(deps, record, call)

/** The version is stored, by this upload or otherwise: what is under way has its end, and what it staged is of no use. */
async function endDecided(deps: UploadDependencies, id: UploadId, stored: Entry): Promise<void> {
  const record = live(await deps.uploads.find(id), deps.clock())
  if (record?.state !== 'open' && record?.state !== 'verifying') return
  if (isHeld(record, deps.clock())) return // the verifier at work ends it
  const next =
    stored.digest === id.digest ? committed(record) : failed(record, versionExists(id.digest, stored))
  if ((await deps.uploads.write(next, record)) && record.mode === 'multipart') await deps.staging.drop(record)
}

/** The row says committed, so the ledger must; it was read before the row. */
async function found(deps: UploadDependencies, id: UploadId, call: Call): Promise<CommitResult> {
  const entry = await call.time('ledger', deps.ledger.find(id.ref))
  if (entry?.digest === id.digest) return { outcome: 'found', entry }
  throw entry ? versionExists(id.digest, entry) : uploadNotFound(id)
}

/**
 * S3, or the local blob endpoint, has checked the whole digest as the bytes arrived: an attested blob needs no second look.
 * The row moves before the ledger, so that a commit that is late cannot append what was given up in the meantime.
 */
async function commitSingle(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
): Promise<CommitResult | undefined> {
  const { id, size } = record
  const blob = await call.time('blobs', deps.blobs.inspect(id))
  if (!blob.found && record.state === 'open')
    throw new BucketError(
      'upload_incomplete',
      `no bytes have arrived for ${formatRef(id.ref)}`,
      { received: false, missing: [] },
      {
        next: 'Send the bytes with the request of the upload, then commit again.',
      },
    )
  if (blob.found && blob.size !== size) {
    const error = new BucketError(
      'digest_mismatch',
      `${blob.size} bytes are stored where ${size} were announced`,
      {
        declared_digest: id.digest,
        size: blob.size,
      },
    )
    if (!(await call.time('uploads', deps.uploads.write(failed(record, error), record)))) return undefined
    throw error
  }
  if (!blob.found || !blob.attested) return startVerification(deps, record, call)

  const moved = verifying(record, deps.clock())
  if (!(await call.time('uploads', deps.uploads.write(moved, record)))) return undefined
  if (deps.clock() >= moved.leaseUntil) return undefined
  const result = await call.time('ledger', deps.ledger.append(entryOf(moved, deps.clock()), call.requestId))
  const isOurs = result.entry.digest === id.digest
  const next = isOurs ? committed(moved) : failed(moved, versionExists(id.digest, result.entry))
  // The ledger has decided; the row only tells it to whoever looks.
  await call.time('uploads', deps.uploads.write(next, moved)).catch(() => undefined)
  if (!isOurs) throw versionExists(id.digest, result.entry)
  return { outcome: result.appended ? 'created' : 'found', entry: result.entry }
}

async function commitMultipart(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
): Promise<CommitResult | undefined> {
  // Parts that are joined already, by a commit that raced with this one or never answered, are not there any more.
  const parts = await call.time('blobs', deps.staging.parts(record))
  const missing = parts && record.state === 'open' ? missingParts(record.size, parts) : []
  if (parts && missing.length > 0) throw uploadIncomplete(record, parts, missing)
  return startVerification(deps, record, call, parts)
}

/** The numbers of parts that have not arrived whole, all of them. */
function missingParts(size: number, parts: readonly ReceivedPart[]): readonly number[] {
  const sizes = new Map(parts.map((part) => [part.number, part.size]))
  const numbers = Array.from({ length: partCount(size) }, (_, at) => at + 1)
  return numbers.filter((number) => sizes.get(number) !== sizeOfPart(size, number))
}

const uploadIncomplete = (record: UploadRecord, parts: readonly ReceivedPart[], missing: readonly number[]) =>
  new BucketError(
    'upload_incomplete',
    missing.length > 0
      ? `${missing.length} of ${partCount(record.size)} parts have not arrived`
      : 'the parts that have arrived could not be joined: one was replaced meanwhile',
    {
      received: parts,
      missing: missing.slice(0, MAX_PARTS_PER_REQUEST),
    },
  )

/** @param parts to be joined; none when they are, or when there never were any. */
async function startVerification(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
  parts?: readonly ReceivedPart[],
): Promise<CommitResult | undefined> {
  const moved = verifying(record, deps.clock())
  if (!(await call.time('uploads', deps.uploads.write(moved, record)))) return undefined
  if (parts && (await call.time('blobs', deps.staging.complete(moved, parts))) === 'incomplete') {
    await call.time('uploads', deps.uploads.write(changed(moved, { state: 'open', leaseUntil: 0 }), moved))
    throw uploadIncomplete(moved, parts, [])
  }
  await call.time('uploads', deps.queue.send(moved))
  return { outcome: 'verifying', upload: await uploadMessage(deps, moved, call) }
}

/**
 * Gives an upload up: its row first, then its parts.
 *
 * @throws BucketError `upload_not_found`; `upload_conflict` while it is verified or once it is committed.
 */
export async function giveUpUpload(deps: UploadDependencies, id: UploadId, call: Call): Promise<void> {
  const removed = await retryWrites(async () => {
    const record = live(await call.time('uploads', deps.uploads.find(id)), deps.clock())
    const stored = await call.time('ledger', deps.ledger.find(id.ref))
    if (stored?.digest === id.digest)
      throw new BucketError('upload_conflict', `the upload to ${formatRef(id.ref)} is committed`, {
        upload: committedMessage(stored, record),
      })
    if (!record) throw uploadNotFound(id)
    if (record.state === 'verifying' && record.leaseUntil > deps.clock())
      throw new BucketError('upload_conflict', `the upload to ${formatRef(id.ref)} is being verified`, {
        upload: await uploadMessage(deps, record, call),
      })
    return (await call.time('uploads', deps.uploads.remove(record))) ? record : undefined
  })
  if (removed.stagingId !== null) await call.time('blobs', deps.staging.drop(removed)).catch(() => undefined) // expires by itself
}
