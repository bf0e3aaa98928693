/** Rows of uploads: what makes one live, and how one becomes the next. */
import { randomUUID } from 'node:crypto'
import type { Description, Entry } from '../domain/entry.ts'
import type { BucketError } from '../domain/errors.ts'
import { UPLOAD_SECONDS, type UploadMode } from '../domain/limits.ts'
import type { BlobStore, Clock, Ledger } from './ports.ts'
import {
  type Staging,
  storedProblem,
  type UploadId,
  type UploadRecord,
  type Uploads,
  type VerificationQueue,
} from './upload-ports.ts'

export interface UploadDependencies {
  readonly blobs: BlobStore
  readonly ledger: Ledger
  readonly uploads: Uploads
  readonly staging: Staging
  readonly queue: VerificationQueue
  readonly clock: Clock
  readonly maxArtifactBytes: number
  /** How long presigned requests live, in seconds: at most an hour. */
  readonly presignedSeconds: number
}

/**
 * How long an upload whose commit has begun is left alone until a verifier takes it, in milliseconds: longer than one request
 * lasts, and the delay of a busy queue.
 */
export const QUEUE_LEASE_MS = 5 * 60_000

/**
 * How long a verifier may be silent before another may take over, in milliseconds. No append to a ledger may be under way for as long
 * (docs/races.md): adapters bound theirs below it.
 */
export const VERIFIER_LEASE_MS = 120_000

export interface UploadTerms {
  readonly id: UploadId
  readonly size: number
  readonly mode: UploadMode
  readonly description: Description
}

/** The staging key of an attempt is made of this, so it must never come again. */
export const newAttempt = (): string => randomUUID()

export const openRecord = (
  terms: UploadTerms,
  attempt: string,
  stagingId: string | null,
  now: number,
  previous: UploadRecord | undefined,
): UploadRecord => ({
  ...terms,
  attempt,
  stagingId,
  revision: (previous?.revision ?? 0) + 1,
  state: 'open',
  expiresAt: now + UPLOAD_SECONDS * 1000,
  leaseOwner: null,
  leaseUntil: 0,
  verifiedBytes: 0,
  problem: null,
})

/** The same row with a change, one revision on. */
export const changed = (record: UploadRecord, change: Partial<UploadRecord>): UploadRecord => ({
  ...record,
  ...change,
  revision: record.revision + 1,
})

/** The row of an upload whose commit has begun: nobody gives it up or begins it anew while the lease lasts. */
export const verifying = (record: UploadRecord, now: number): UploadRecord =>
  changed(record, {
    state: 'verifying',
    expiresAt: now + UPLOAD_SECONDS * 1000,
    leaseOwner: null,
    leaseUntil: now + QUEUE_LEASE_MS,
  })

/** Whether a verifier is at work, as far as anybody can know. */
export const isHeld = (record: UploadRecord, now: number): boolean =>
  record.leaseOwner !== null && record.leaseUntil > now

/** What the ledger will say of an upload. */
export const entryOf = ({ id, size, description }: UploadRecord, now: number): Entry => ({
  ref: id.ref,
  digest: id.digest,
  size,
  ...description,
  createdAt: new Date(now).toISOString(),
})

export const failed = (record: UploadRecord, error: BucketError): UploadRecord =>
  changed(record, { state: 'failed', leaseOwner: null, leaseUntil: 0, problem: storedProblem(error) })

export const committed = (record: UploadRecord): UploadRecord =>
  changed(record, { state: 'committed', leaseOwner: null, leaseUntil: 0, verifiedBytes: record.size })

/** A row past its expiry counts as absent, however late it is deleted. */
export const live = (record: UploadRecord | undefined, now: number): UploadRecord | undefined =>
  record !== undefined && record.expiresAt > now ? record : undefined
