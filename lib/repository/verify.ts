/**
 * The verifier: reads the bytes of a committed upload once, hashes them, and only then gives them their final name and their
 * entry. Deliveries may come twice, late, or from an attempt that is over; a verifier may die anywhere: the row decides.
 */
import { createHash, randomUUID } from 'node:crypto'
import { digestFromHex } from '#protocol/digest'
import type { Entry } from '#protocol/entry'
import { BucketError } from '#protocol/errors'
import { formatRef } from '#protocol/identifiers'
import { assureBlob } from './assure-blob.ts'
import { versionExists } from './conflict.ts'
import type { Promotion, StagedBytes, UploadRecord, VerificationRequest } from './upload-ports.ts'
import { changed, committed, failed, live, type UploadDependencies } from './upload-record.ts'

/** How long a verifier may be silent before another may take over, and how often it says that it is alive; milliseconds. */
const LEASE_MS = 120_000
const RENEW_MS = 5_000

/** What a delivery led to: for logs and metrics, never for control. */
export type VerificationOutcome = 'committed' | 'failed' | 'stale' | 'busy'

/**
 * Handles one delivery.
 *
 * @throws what the stores throw: the delivery is then to be repeated.
 */
export async function verifyUpload(
  deps: UploadDependencies,
  request: VerificationRequest,
  signal?: AbortSignal,
): Promise<VerificationOutcome> {
  const row = live(await deps.uploads.find(request.id), deps.clock())
  if (row?.attempt !== request.attempt || row.state !== 'verifying') return 'stale'
  // Whoever holds the lease has a delivery of its own, which comes again if it dies.
  if (row.leaseOwner !== null && row.leaseUntil > deps.clock()) return 'busy'
  const lease = await Lease.take(deps, row)
  if (!lease) return 'busy'
  try {
    return await verifyLeased(deps, lease, signal)
  } catch (error) {
    if (error instanceof LeaseLost) return 'busy'
    await lease.release()
    throw error
  }
}

/** Ends a verification that was delivered again and again in vain: the upload fails, and can be begun anew. */
export async function abandonVerification(
  deps: UploadDependencies,
  request: VerificationRequest,
): Promise<void> {
  const row = await deps.uploads.find(request.id)
  if (row?.attempt !== request.attempt || row.state !== 'verifying') return
  const error = BucketError.unavailable('the bytes could not be verified: the stores kept failing')
  await deps.uploads.write(failed(row, error), row)
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
  const isThere = blob.found && blob.size === size
  if (!(isThere && blob.attested)) {
    // A verifier that died after its publish has moved what was staged: then the final name is what there is to verify.
    const staged = mode === 'multipart' ? await openStaged(deps, lease.record) : undefined
    const problem =
      staged || !isThere
        ? await verifyStaged(deps, lease, staged, signal)
        : await verifyInPlace(deps, lease, signal)
    if (problem) {
      await lease.end(failed(lease.record, problem))
      if (mode === 'multipart') await deps.staging.drop(lease.record)
      return 'failed'
    }
  }
  await lease.renew(size)
  const entry: Entry = {
    ref: id.ref,
    digest: id.digest,
    size,
    ...lease.record.description,
    createdAt: new Date(deps.clock()).toISOString(),
  }
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

async function verifyInPlace(deps: UploadDependencies, lease: Lease, signal: AbortSignal | undefined) {
  return hashAll(lease, await deps.blobs.read(lease.record.id, undefined, signal))
}

async function verifyStaged(
  deps: UploadDependencies,
  lease: Lease,
  staged: StagedBytes | undefined,
  signal: AbortSignal | undefined,
) {
  const { record } = lease
  if (!staged) return BucketError.unavailable(`the uploaded bytes of ${formatRef(record.id.ref)} are gone`)
  const promotion = await staged.promote(record.id)
  const problem = await hashAll(lease, staged.read(signal)).catch((error: unknown) =>
    abandonAndThrow(promotion, error),
  )
  if (problem) {
    await promotion.abandon()
    return problem
  }
  // The final name is given only by whoever still holds the lease, so that a verifier given up for dead cannot come back with it.
  await lease.renew(record.size).catch((error: unknown) => abandonAndThrow(promotion, error))
  if ((await promotion.publish()) === 'exists') await assureBlob(deps.blobs, record.id, record.size, signal)
  return undefined
}

async function abandonAndThrow(promotion: Promotion, error: unknown): Promise<never> {
  await promotion.abandon().catch(() => undefined) // what stays behind expires by itself
  throw error
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
      leaseUntil: deps.clock() + LEASE_MS,
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
    await this.end(changed(this.#record, { leaseUntil: now + LEASE_MS, verifiedBytes }))
    this.#renewedAt = now
  }

  async end(next: UploadRecord): Promise<void> {
    if (!(await this.#deps.uploads.write(next, this.#record))) throw new LeaseLost()
    this.#record = next
  }

  /** Lets the next delivery begin at once; where even that fails, the lease runs out. */
  async release(): Promise<void> {
    const next = changed(this.#record, { leaseOwner: null, leaseUntil: this.#deps.clock() + LEASE_MS })
    await this.#deps.uploads.write(next, this.#record).catch(() => undefined)
  }
}
