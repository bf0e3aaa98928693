/**
 * The verifier: reads the bytes of a committed upload once, hashes them, and only then gives them their final name and their
 * entry. Deliveries may come twice, late, or from an attempt that is over; a verifier may die anywhere: the row decides.
 */
import { createHash, randomUUID } from 'node:crypto'
import { digestFromHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { versionExists } from './conflict.ts'
import type { BlobState } from './ports.ts'
import type { StagedBytes, UploadRecord, VerificationRequest } from './upload-ports.ts'
import {
  changed,
  committed,
  entryOf,
  failed,
  isHeld,
  live,
  type UploadDependencies,
  VERIFIER_LEASE_MS,
} from './upload-record.ts'

/** How often a verifier says that it is alive, in milliseconds. */
const RENEW_MS = 5_000

/** What a delivery led to: for logs and metrics, never for control. The delivery is done with. */
export type VerificationOutcome = 'committed' | 'failed' | 'stale'

/**
 * Handles one delivery.
 *
 * @throws BucketError `unavailable` when another verifier holds the lease, and what the stores throw: the delivery is then to be
 * repeated. It may be the only one left, because queues that deliver a message twice let either receiver remove it.
 */
export async function verifyUpload(
  deps: UploadDependencies,
  request: VerificationRequest,
  signal?: AbortSignal,
): Promise<VerificationOutcome> {
  const row = live(await deps.uploads.find(request.id), deps.clock())
  if (row?.attempt !== request.attempt || row.state !== 'verifying') return 'stale'
  if (isHeld(row, deps.clock())) throw atWork(row)
  const lease = await Lease.take(deps, row)
  if (!lease) throw atWork(row)
  try {
    return await verifyLeased(deps, lease, signal)
  } catch (error) {
    if (error instanceof LeaseLost) throw atWork(row, error)
    await lease.release()
    throw error
  }
}

const atWork = ({ id }: UploadRecord, cause?: unknown) =>
  BucketError.unavailable(`the upload to ${formatRef(id.ref)} is in the hands of another`, cause)

/**
 * Ends a verification that was delivered again and again in vain: the upload fails, and can be begun anew.
 *
 * @throws BucketError `unavailable` while a verifier is at work: ask again later.
 */
export async function abandonVerification(
  deps: UploadDependencies,
  request: VerificationRequest,
): Promise<void> {
  const row = await deps.uploads.find(request.id)
  if (row?.attempt !== request.attempt || row.state !== 'verifying') return
  if (isHeld(row, deps.clock())) throw atWork(row)
  const error = BucketError.unavailable('the bytes could not be verified: the stores kept failing')
  if (!(await deps.uploads.write(failed(row, error), row))) throw atWork(row)
}

async function verifyLeased(
  deps: UploadDependencies,
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<VerificationOutcome> {
  const { id, size, mode } = lease.record
  const stored = await deps.ledger.find(id.ref)
  if (stored) return settle(deps, lease, stored)

  const blob = await deps.blobs.inspect(id)
  const isPublished = blob.found && blob.attested && blob.size === size
  if (!isPublished) {
    const problem =
      mode === 'single'
        ? await verifyInPlace(deps, lease, blob, signal)
        : await verifyStaged(deps, lease, blob, signal)
    if (problem) {
      await lease.end(failed(lease.record, problem))
      if (mode === 'multipart') await deps.staging.drop(lease.record)
      return 'failed'
    }
  }
  await lease.renew(size)
  const entry = entryOf(lease.record, deps.clock())
  return settle(deps, lease, (await deps.ledger.append(entry, lease.record.attempt)).entry)
}

/** The ledger has decided: the row tells it, and what was staged goes. */
async function settle(deps: UploadDependencies, lease: Lease, stored: Entry): Promise<VerificationOutcome> {
  const { record } = lease
  const isOurs = stored.digest === record.id.digest
  await lease.end(isOurs ? committed(record) : failed(record, versionExists(record.id.digest, stored)))
  if (record.mode === 'multipart') await deps.staging.drop(record)
  return isOurs ? 'committed' : 'failed'
}

type Problem = BucketError<'digest_mismatch'> | BucketError<'unavailable'>

async function verifyInPlace(
  deps: UploadDependencies,
  lease: Lease,
  blob: BlobState,
  signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
  if (blob.found) return hashAll(lease, await deps.blobs.read(lease.record.id, undefined, signal))
  return BucketError.unavailable(`the bytes of ${formatRef(lease.record.id.ref)} are gone`)
}

async function verifyStaged(
  deps: UploadDependencies,
  lease: Lease,
  blob: BlobState,
  signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
  const { record } = lease
  const staged = await openStaged(deps, record)
  if (!staged) {
    // A verifier before may have published, by moving the bytes, and died before it could append.
    const isThere = blob.found && !(await verifyInPlace(deps, lease, blob, signal))
    return isThere
      ? undefined
      : BucketError.unavailable(`the parts of ${formatRef(record.id.ref)} are gone: begin anew`)
  }
  const promotion = await staged.promote(record.id)
  try {
    const problem = await hashAll(lease, staged.read(signal))
    if (problem) {
      await promotion.abandon().catch(() => undefined) // what stays behind expires by itself
      return problem
    }
    await promotion.copied(() => lease.keep(record.size), signal)
    // The final name is given only by whoever still holds the lease, so that a verifier given up for dead cannot come back with it.
    // What takes long is over by now: giving the name takes less than the lease lasts.
    await lease.renew(record.size)
    if ((await promotion.publish(signal)) === 'written') return undefined
  } catch (error) {
    await promotion.abandon().catch(() => undefined) // what stays behind expires by itself
    throw error
  }
  return verifyTaken(deps, lease, signal)
}

/** Invariant I1, as in `assureBlob`, with the lease kept while the bytes are read. */
async function verifyTaken(
  deps: UploadDependencies,
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<Problem | undefined> {
  const { id, size } = lease.record
  const blob = await deps.blobs.inspect(id)
  if (blob.found && blob.attested && blob.size === size) return undefined
  if (!(await verifyInPlace(deps, lease, blob, signal))) return undefined
  return BucketError.unavailable(
    `the name of the blob of ${formatRef(id.ref)} is taken by other bytes: an operator must remove them`,
  )
}

/** The commit before may not have reached the joining of the parts. */
async function openStaged(deps: UploadDependencies, record: UploadRecord): Promise<StagedBytes | undefined> {
  const staged = await deps.staging.open(record)
  if (staged) return staged
  const parts = await deps.staging.parts(record)
  if (!parts || (await deps.staging.complete(record, parts)) === 'incomplete') return undefined
  return deps.staging.open(record)
}

/** Hashes to the end, telling how far it got. @returns the problem when these are other bytes. */
async function hashAll(
  lease: Lease,
  bytes: AsyncIterable<Uint8Array>,
): Promise<BucketError<'digest_mismatch'> | undefined> {
  const { id, size } = lease.record
  const hash = createHash('sha256')
  let read = 0
  for await (const chunk of bytes) {
    hash.update(chunk)
    read += chunk.byteLength
    await lease.keep(read)
  }
  const computed = digestFromHex(hash.digest('hex'))
  if (computed === id.digest && read === size) return undefined
  return new BucketError(
    'digest_mismatch',
    `the ${read} bytes that were uploaded have the digest ${computed}, not the declared ${id.digest}`,
    {
      declared_digest: id.digest,
      computed_digest: computed,
      size: read,
    },
  )
}

class LeaseLost extends Error {}

/** The right to verify one attempt, as long as it is renewed; every change of the row while verifying goes through it. */
class Lease {
  readonly #deps: UploadDependencies
  #record: UploadRecord
  #renewedAt: number

  private constructor(deps: UploadDependencies, record: UploadRecord) {
    this.#deps = deps
    this.#record = record
    this.#renewedAt = deps.clock()
  }

  static async take(deps: UploadDependencies, row: UploadRecord): Promise<Lease | undefined> {
    const leased = changed(row, {
      leaseOwner: randomUUID(),
      leaseUntil: deps.clock() + VERIFIER_LEASE_MS,
      verifiedBytes: 0,
    })
    return (await deps.uploads.write(leased, row)) ? new Lease(deps, leased) : undefined
  }

  get record(): UploadRecord {
    return this.#record
  }

  /** Renews when it is time. */
  async keep(verifiedBytes: number): Promise<void> {
    if (this.#deps.clock() - this.#renewedAt >= RENEW_MS) await this.renew(verifiedBytes)
  }

  /** @throws LeaseLost when another has taken over or the upload was given up. */
  async renew(verifiedBytes: number): Promise<void> {
    const now = this.#deps.clock()
    await this.end(changed(this.#record, { leaseUntil: now + VERIFIER_LEASE_MS, verifiedBytes }))
    // A renewal that took longer than the lease: others may have acted on its end already.
    if (!isHeld(this.#record, this.#deps.clock())) throw new LeaseLost()
    this.#renewedAt = now
  }

  async end(next: UploadRecord): Promise<void> {
    if (!(await this.#deps.uploads.write(next, this.#record))) throw new LeaseLost()
    this.#record = next
  }

  /** Lets the next delivery begin at once; where even that fails, the lease runs out. */
  async release(): Promise<void> {
    const next = changed(this.#record, {
      leaseOwner: null,
      leaseUntil: this.#deps.clock() + VERIFIER_LEASE_MS,
    })
    await this.#deps.uploads.write(next, this.#record).catch(() => undefined)
  }
}
