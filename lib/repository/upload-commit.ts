/**
 * Committing an upload (docs/http-api.md, section 7.3), and giving it up (7.5).
 * The row moves first, by compare-and-set; then the staging area; then the queue. Whatever breaks in between, the same call again
 * finds the row and goes on.
 */
import type { Entry } from '#protocol/entry'
import { BucketError } from '#protocol/errors'
import { formatRef } from '#protocol/identifiers'
import { MAX_PARTS_PER_REQUEST, partCount, sizeOfPart, UPLOAD_SECONDS } from '#protocol/limits'
import type { UploadMessage } from '#protocol/messages'
import { versionExists } from './conflict.ts'
import type { Call } from './ports.ts'
import { retryWrites } from './retry-writes.ts'
import type { ReceivedPart, UploadId, UploadRecord } from './upload-ports.ts'
import { changed, committed, failed, live, QUEUE_LEASE_MS, type UploadDependencies } from './upload-record.ts'
import { revive, uploadMessage, uploadNotFound } from './upload-view.ts'

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
  if (stored?.digest === id.digest) return { outcome: 'found', entry: stored }
  return retryWrites(async () => {
    const record = live(await call.time('uploads', deps.uploads.find(id)), deps.clock())
    if (stored) {
      const error = versionExists(id.digest, stored)
      // For whoever looks at the upload later; the refusal stands without it.
      if (record?.state === 'open')
        await deps.uploads.write(failed(record, error), record).catch(() => undefined)
      throw error
    }
    if (!record) throw uploadNotFound(id)
    switch (record.state) {
      case 'failed':
        throw record.problem ? revive(record.problem) : uploadNotFound(id)
      case 'committed':
        return found(deps, id, call)
      case 'verifying':
        return verifyAgain(deps, record, call)
      case 'open':
        return record.mode === 'single'
          ? commitSingle(deps, record, call)
          : commitMultipart(deps, record, call)
    }
  })
}

/** The row says committed, so the ledger must; it was read before the row. */
async function found(deps: UploadDependencies, id: UploadId, call: Call): Promise<CommitResult> {
  const entry = await call.time('ledger', deps.ledger.find(id.ref))
  if (entry?.digest === id.digest) return { outcome: 'found', entry }
  throw entry ? versionExists(id.digest, entry) : uploadNotFound(id)
}

/** S3, or the local blob endpoint, has checked the whole digest as the bytes arrived: an attested blob needs no second look. */
async function commitSingle(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
): Promise<CommitResult | undefined> {
  const { id, size } = record
  const blob = await call.time('blobs', deps.blobs.inspect(id))
  if (!blob.found)
    throw new BucketError(
      'upload_incomplete',
      `no bytes have arrived for ${formatRef(id.ref)}`,
      { received: false, missing: [] },
      {
        next: 'Send the bytes with the request of the upload, then commit again.',
      },
    )
  if (blob.size !== size) {
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
  if (!blob.attested) return startVerification(deps, record, call)

  const entry: Entry = {
    ref: id.ref,
    digest: id.digest,
    size,
    ...record.description,
    createdAt: new Date(deps.clock()).toISOString(),
  }
  const result = await call.time('ledger', deps.ledger.append(entry, call.requestId))
  const isOurs = result.entry.digest === id.digest
  const next = isOurs ? committed(record) : failed(record, versionExists(id.digest, result.entry))
  // The ledger has decided; the row only tells it to whoever looks.
  await call.time('uploads', deps.uploads.write(next, record)).catch(() => undefined)
  if (!isOurs) throw versionExists(id.digest, result.entry)
  return { outcome: result.appended ? 'created' : 'found', entry: result.entry }
}

async function commitMultipart(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
): Promise<CommitResult | undefined> {
  const parts = await call.time('blobs', deps.staging.parts(record))
  if (parts === undefined) throw uploadNotFound(record.id)
  const missing = missingParts(record.size, parts)
  if (missing.length > 0) throw uploadIncomplete(record, parts, missing)
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
    `${missing.length} of ${partCount(record.size)} parts have not arrived`,
    {
      received: parts,
      missing: missing.slice(0, MAX_PARTS_PER_REQUEST),
    },
  )

async function startVerification(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
  parts?: readonly ReceivedPart[],
): Promise<CommitResult | undefined> {
  const now = deps.clock()
  const verifying = changed(record, {
    state: 'verifying',
    expiresAt: now + UPLOAD_SECONDS * 1000,
    leaseUntil: now + QUEUE_LEASE_MS,
  })
  if (!(await call.time('uploads', deps.uploads.write(verifying, record)))) return undefined
  if (parts && (await call.time('blobs', deps.staging.complete(verifying, parts))) === 'incomplete') {
    await call.time(
      'uploads',
      deps.uploads.write(changed(verifying, { state: 'open', leaseUntil: 0 }), verifying),
    )
    throw uploadIncomplete(record, parts, [])
  }
  await call.time('uploads', deps.queue.send(verifying))
  return { outcome: 'verifying', upload: await uploadMessage(deps, verifying, call) }
}

/** A commit of a verifying upload repeats what an earlier one may not have reached: joining the parts, and the message. */
async function verifyAgain(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
): Promise<CommitResult | undefined> {
  const isAtWork = record.leaseOwner !== null && record.leaseUntil > deps.clock()
  if (!isAtWork) {
    const parts =
      record.mode === 'multipart' ? await call.time('blobs', deps.staging.parts(record)) : undefined
    if (parts) await call.time('blobs', deps.staging.complete(record, parts))
    await call.time('uploads', deps.queue.send(record))
  }
  return { outcome: 'verifying', upload: await uploadMessage(deps, record, call) }
}

/**
 * Gives an upload up: its row first, then its parts.
 *
 * @throws BucketError `upload_not_found`; `upload_conflict` while it is verified or once it is committed.
 */
export async function giveUpUpload(deps: UploadDependencies, id: UploadId, call: Call): Promise<void> {
  const removed = await retryWrites(async () => {
    const record = live(await call.time('uploads', deps.uploads.find(id)), deps.clock())
    if (!record) throw uploadNotFound(id)
    const stored = await call.time('ledger', deps.ledger.find(id.ref))
    const isCommitted = record.state === 'committed' || stored?.digest === id.digest
    const isVerifying = record.state === 'verifying' && record.leaseUntil > deps.clock()
    if (isCommitted || isVerifying)
      throw new BucketError(
        'upload_conflict',
        `the upload to ${formatRef(id.ref)} is ${isCommitted ? 'committed' : 'being verified'}`,
        { upload: await uploadMessage(deps, record, call) },
      )
    return (await call.time('uploads', deps.uploads.remove(record))) ? record : undefined
  })
  if (removed.stagingId !== null) await call.time('blobs', deps.staging.drop(removed))
}
