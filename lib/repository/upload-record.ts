/** Rows of uploads, and the transitions from one to the next. Compare-and-set decides which writer may make a transition. */
import { randomUUID } from 'node:crypto'
import type { Entry } from '../domain/entry.ts'
import { type BucketError, toFailure } from '../domain/errors.ts'
import type { FailureCode } from '../domain/failure.ts'
import { UPLOAD_SECONDS, type UploadMode } from '../domain/limits.ts'
import type { UploadId, UploadTerms } from '../domain/upload.ts'
import type { UploadRecord } from './upload-ports.ts'

/**
 * How long an upload whose commit has begun is left alone until a verifier takes it, in milliseconds: longer than one request
 * lasts, plus the delay of a busy queue.
 */
export const QUEUE_LEASE_MS = 5 * 60_000

/**
 * How long a verifier may go without renewing its lease before another may take over, in milliseconds. No append to a ledger may be in
 * flight for as long (docs/races.md): adapters bound theirs below it.
 */
export const VERIFIER_LEASE_MS = 120_000

/** The part of an upload row that never changes. */
export interface NewUpload extends UploadTerms {
  readonly id: UploadId
  readonly mode: UploadMode
}

/** Unique, because the staging key of an attempt is made from it. */
export const newAttempt = (): string => randomUUID()

export const openRecord = (
  terms: NewUpload,
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
  failure: null,
})

/** The same row with a change and the next revision. */
export const changed = (record: UploadRecord, change: Partial<UploadRecord>): UploadRecord => ({
  ...record,
  ...change,
  revision: record.revision + 1,
})

/** The row of an upload whose commit has begun. It cannot be aborted or restarted while the lease lasts. */
export const verifying = (record: UploadRecord, now: number): UploadRecord =>
  changed(record, {
    state: 'verifying',
    expiresAt: now + UPLOAD_SECONDS * 1000,
    leaseOwner: null,
    leaseUntil: now + QUEUE_LEASE_MS,
  })

/** Whether a verifier holds the lease and may be at work. */
export const isHeld = (record: UploadRecord, now: number): boolean =>
  record.leaseOwner !== null && record.leaseUntil > now

/** The entry that this upload commits. */
export const entryOf = ({ id, size, description }: UploadRecord, now: number): Entry => ({
  ref: id.ref,
  digest: id.digest,
  size,
  ...description,
  createdAt: new Date(now).toISOString(),
})

export const failed = (record: UploadRecord, error: BucketError<FailureCode>): UploadRecord =>
  changed(record, { state: 'failed', leaseOwner: null, leaseUntil: 0, failure: toFailure(error) })

export const committed = (record: UploadRecord): UploadRecord =>
  changed(record, { state: 'committed', leaseOwner: null, leaseUntil: 0, verifiedBytes: record.size })

/** The row if it has not expired. An expired row counts as absent until it is deleted. */
export const unexpired = (record: UploadRecord | undefined, now: number): UploadRecord | undefined =>
  record !== undefined && record.expiresAt > now ? record : undefined
