/**
 * The verifier: reads the bytes of a committed upload once, hashes them, and only then gives them their final name and their entry.
 * Deliveries may be duplicated, late, or from a past attempt, and a verifier may die at any step. The row decides.
 */
import { createHash, randomUUID } from 'node:crypto'
import { versionExists } from '../domain/conflict.ts'
import { digestFromHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError, type ErrorCode } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { pour } from '../flow/pourable.ts'
import { nameTaken } from './ensure-blob-intact.ts'
import type { BlobInspector, BlobReader, BlobState, Clock, Ledger } from './ports.ts'
import type { StagedBytes, Staging, UploadRecord, Uploads, VerificationRequest } from './upload-ports.ts'
import { changed, committed, entryOf, failed, isHeld, unexpired, VERIFIER_LEASE_MS } from './upload-record.ts'

export interface VerifyDependencies {
  readonly blobs: BlobReader & BlobInspector
  readonly ledger: Ledger
  readonly uploads: Uploads
  readonly staging: Staging
  readonly clock: Clock
}

/** How often a verifier renews its lease, in milliseconds. */
const RENEW_MS = 5_000

/** The result of a finished delivery, for logs and metrics only. */
export type VerificationOutcome = 'committed' | 'failed' | 'stale'

/** Facts about a delivery, for its line in the log. */
export interface VerificationFacts {
  /** Bytes of the upload. */
  readonly size?: number
  /** Milliseconds in which all of them were read and hashed. */
  readonly hashMs?: number
  /** The reason of a failed verification. */
  readonly code?: ErrorCode
}

/**
 * Handles one delivery.
 *
 * @throws BucketError `unavailable` when another verifier holds the lease, and errors of the stores: deliver again then.
 * This delivery may be the only one left, because a queue that delivers a message twice lets either receiver remove it.
 *
 * @param note is called with each fact as it becomes known.
 */
export async function verifyUpload(
  deps: VerifyDependencies,
  request: VerificationRequest,
  signal?: AbortSignal,
  note: (facts: VerificationFacts) => void = () => {},
): Promise<VerificationOutcome> {
  const row = unexpired(await deps.uploads.find(request.id), deps.clock())
  if (row?.attempt !== request.attempt || row.state !== 'verifying') return 'stale'
  if (isHeld(row, deps.clock())) throw leaseHeld(row)
  note({ size: row.size })
  const lease = await Lease.take(deps, row, note)
  if (!lease) throw leaseHeld(row)
  try {
    return await verifyLeased(deps, lease, signal)
  } catch (error) {
    if (error instanceof LeaseLost) throw leaseHeld(row, error)
    await lease.release()
    throw error
  }
}

const leaseHeld = ({ id }: UploadRecord, cause?: unknown) =>
  BucketError.unavailable(`the upload to ${formatRef(id.ref)} is being verified by another process`, cause)

/**
 * Ends a verification whose every delivery failed: the upload fails, and its uploader can begin it again.
 *
 * @throws BucketError `unavailable` while a verifier holds the lease: deliver again later.
 */
export async function failVerification(
  deps: VerifyDependencies,
  request: VerificationRequest,
): Promise<void> {
  const row = await deps.uploads.find(request.id)
  if (row?.attempt !== request.attempt || row.state !== 'verifying') return
  if (isHeld(row, deps.clock())) throw leaseHeld(row)
  const error = BucketError.unavailable('the bytes could not be verified: the stores kept failing')
  if (!(await deps.uploads.write(failed(row, error), row))) throw leaseHeld(row)
}

async function verifyLeased(
  deps: VerifyDependencies,
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<VerificationOutcome> {
  const { id, size, mode } = lease.record
  const stored = await deps.ledger.find(id.ref)
  if (stored && stored.digest !== id.digest) return finish(deps, lease, stored)

  const blob = await deps.blobs.inspect(id)
  // The entry decides, unless it has lost its blob, which these bytes then restore.
  if (stored && blob.found && blob.size === stored.size) return finish(deps, lease, stored)
  const isPublished = blob.found && blob.attested && blob.size === size
  if (!isPublished) {
    const problem =
      mode === 'single'
        ? await verifyInPlace(deps, lease, blob, signal)
        : await verifyStaged(deps, lease, blob, signal)
    if (problem) {
      lease.note({ code: problem.code })
      await lease.write(failed(lease.record, problem))
      if (mode === 'multipart') await deps.staging.drop(lease.record)
      return 'failed'
    }
  }
  await lease.renew(size)
  const entry = entryOf(lease.record, deps.clock())
  return finish(deps, lease, (await deps.ledger.append(entry, lease.record.attempt)).entry)
}

/** The ledger has decided: ends the row, and drops the staged bytes. */
async function finish(deps: VerifyDependencies, lease: Lease, stored: Entry): Promise<VerificationOutcome> {
  const { record } = lease
  const isOurs = stored.digest === record.id.digest
  if (!isOurs) lease.note({ code: 'version_exists' })
  await lease.write(isOurs ? committed(record) : failed(record, versionExists(record.id.digest, stored)))
  if (record.mode === 'multipart') await deps.staging.drop(record)
  return isOurs ? 'committed' : 'failed'
}

type Problem = BucketError<'digest_mismatch'> | BucketError<'unavailable'>

async function verifyInPlace(
  deps: VerifyDependencies,
  lease: Lease,
  blob: BlobState,
  signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
  if (blob.found) return hashAll(lease, await deps.blobs.read(lease.record.id, undefined, signal))
  return BucketError.unavailable(`the bytes of ${formatRef(lease.record.id.ref)} are gone`)
}

async function verifyStaged(
  deps: VerifyDependencies,
  lease: Lease,
  blob: BlobState,
  signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
  const { record } = lease
  const staged = await openStaged(deps, record)
  if (!staged) {
    // An earlier verifier may have published, by moving the bytes, and died before it could append.
    const isThere = blob.found && !(await verifyInPlace(deps, lease, blob, signal))
    return isThere
      ? undefined
      : BucketError.unavailable(`the parts of ${formatRef(record.id.ref)} are gone: begin the upload again`)
  }
  const promotion = await staged.promote(record.id, record.description)
  try {
    const problem = await hashAll(lease, staged.read(signal))
    if (problem) {
      await promotion.abandon().catch(() => undefined) // what remains expires
      return problem
    }
    await promotion.waitForCopies(() => lease.keep(record.size), signal)
    // Only the lease holder publishes, so a verifier that lost its lease cannot. The slow step is over: publishing takes less time
    // than the lease lasts.
    await lease.renew(record.size)
    if ((await promotion.publish(signal)) === 'written') return undefined
  } catch (error) {
    await promotion.abandon().catch(() => undefined) // what remains expires
    throw error
  }
  return verifyTaken(deps, lease, signal)
}

/** Invariant I1, as in `ensureBlobIntact`, renewing the lease while the bytes are read. */
async function verifyTaken(
  deps: VerifyDependencies,
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
  const { id, size } = lease.record
  const blob = await deps.blobs.inspect(id)
  if (blob.found && blob.attested && blob.size === size) return undefined
  if (!(await verifyInPlace(deps, lease, blob, signal))) return undefined
  return nameTaken(id)
}

/** Joins the parts first if the commit stopped before it joined them. */
async function openStaged(deps: VerifyDependencies, record: UploadRecord): Promise<StagedBytes | undefined> {
  const staged = await deps.staging.open(record)
  if (staged) return staged
  const parts = await deps.staging.parts(record)
  if (!parts || (await deps.staging.complete(record, parts)) === 'incomplete') return undefined
  return deps.staging.open(record)
}

/** Hashes all bytes, renewing the lease. @returns the failure if the bytes are wrong. */
async function hashAll(
  lease: Lease,
  bytes: AsyncIterable<Uint8Array>,
): Promise<BucketError<'digest_mismatch'> | undefined> {
  const { id, size } = lease.record
  const hash = createHash('sha256')
  const began = performance.now()
  let read = 0
  await pour(bytes, async (chunk) => {
    hash.update(chunk)
    read += chunk.byteLength
    await lease.keep(read)
  })
  lease.note({ hashMs: Math.round(performance.now() - began) })
  const computed = digestFromHex(hash.digest('hex'))
  if (computed === id.digest && read === size) return undefined
  return new BucketError(
    'digest_mismatch',
    `the ${read} bytes that were uploaded have the digest ${computed}, not the declared ${id.digest}`,
    { declaredDigest: id.digest, computedDigest: computed, size: read },
  )
}

class LeaseLost extends Error {}

/** The exclusive right to verify one attempt, as long as it is renewed. Every change of the row while verifying goes through it. */
class Lease {
  readonly #deps: VerifyDependencies
  #record: UploadRecord
  #renewedAt: number
  readonly note: (facts: VerificationFacts) => void

  private constructor(
    deps: VerifyDependencies,
    record: UploadRecord,
    note: (facts: VerificationFacts) => void,
  ) {
    this.note = note
    this.#deps = deps
    this.#record = record
    this.#renewedAt = deps.clock()
  }

  static async take(
    deps: VerifyDependencies,
    row: UploadRecord,
    note: (facts: VerificationFacts) => void,
  ): Promise<Lease | undefined> {
    const leased = changed(row, {
      leaseOwner: randomUUID(),
      leaseUntil: deps.clock() + VERIFIER_LEASE_MS,
      verifiedBytes: 0,
    })
    return (await deps.uploads.write(leased, row)) ? new Lease(deps, leased, note) : undefined
  }

  get record(): UploadRecord {
    return this.#record
  }

  /** Renews if `RENEW_MS` have passed. */
  async keep(verifiedBytes: number): Promise<void> {
    if (this.#deps.clock() - this.#renewedAt >= RENEW_MS) await this.renew(verifiedBytes)
  }

  /** @throws LeaseLost when another verifier took over or the upload was aborted. */
  async renew(verifiedBytes: number): Promise<void> {
    const now = this.#deps.clock()
    await this.write(changed(this.#record, { leaseUntil: now + VERIFIER_LEASE_MS, verifiedBytes }))
    // If the renewal took longer than the lease, another verifier may have taken over already.
    if (!isHeld(this.#record, this.#deps.clock())) throw new LeaseLost()
    this.#renewedAt = now
  }

  /** @throws LeaseLost as `renew`. */
  async write(next: UploadRecord): Promise<void> {
    if (!(await this.#deps.uploads.write(next, this.#record))) throw new LeaseLost()
    this.#record = next
  }

  /** Lets the next delivery begin at once. If the write fails, the lease runs out. */
  async release(): Promise<void> {
    const next = changed(this.#record, {
      leaseOwner: null,
      leaseUntil: this.#deps.clock() + VERIFIER_LEASE_MS,
    })
    await this.#deps.uploads.write(next, this.#record).catch(() => undefined)
  }
}
