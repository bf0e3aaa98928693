/**
 * What the rules of uploads ask of the world: a table of upload rows, a staging area for parts, and a queue of verifications.
 * Rows change only by compare-and-set; the row moves first, then the staging area, then the queue (docs/races.md).
 */

import type { Description } from '../domain/entry.ts'
import type { BucketError, ErrorCode, ProblemMembers } from '../domain/errors.ts'
import type { UploadMode } from '../domain/limits.ts'
import type { BlobId, PresignedRequest } from './ports.ts'

/** An upload is found again by reference and digest alone, from any host. */
export type UploadId = BlobId

/** Why an upload failed, as its row remembers it. */
export type StoredProblem = {
  [C in ErrorCode]: { code: C; detail: string; members: ProblemMembers[C] }
}[ErrorCode]

/** The row of one upload. Times in milliseconds since the epoch, sizes in bytes. */
export interface UploadRecord {
  readonly id: UploadId
  /** New at each begin anew; in the row, the staging key, the queue message and every condition. */
  readonly attempt: string
  /** Counts the writes of this row; compared on every write. */
  readonly revision: number
  readonly mode: UploadMode
  readonly size: number
  readonly description: Description
  readonly state: 'open' | 'verifying' | 'committed' | 'failed'
  readonly expiresAt: number
  /** What the staging area calls this attempt; null in single mode. */
  readonly stagingId: string | null
  /** Who verifies; null until a verifier has taken it. */
  readonly leaseOwner: string | null
  /** Until then the row is left to whoever verifies, or soon will. */
  readonly leaseUntil: number
  readonly verifiedBytes: number
  readonly problem: StoredProblem | null
}

export interface Uploads {
  /** The row as of all writes that were answered before; also one that has expired: the rules judge that. */
  find(id: UploadId): Promise<UploadRecord | undefined>

  /**
   * Writes a row if it is still `previous` (its attempt and revision), or still absent where there is no `previous`.
   * A row that is gone is never created by a write that expects one.
   *
   * @returns whether it was written.
   */
  write(next: UploadRecord, previous: UploadRecord | undefined): Promise<boolean>

  /** Removes a row if it is still `previous`. @returns whether it was removed. */
  remove(previous: UploadRecord): Promise<boolean>
}

export interface ReceivedPart {
  /** From 1. */
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** 64 hex digits, checked by the store as the part arrived. */
  readonly sha256: string
}

/** The part of a row that tells the staging area what it is about. */
export type StagedUpload = Pick<UploadRecord, 'id' | 'attempt' | 'stagingId' | 'size'>

export interface Staging {
  /** Opens a place for the parts of one attempt. @returns its staging id. */
  begin(id: UploadId, attempt: string, size: number): Promise<string>

  /** A request that stores one part: the store refuses other bytes or another length. */
  presignPart(
    upload: StagedUpload,
    number: number,
    size: number,
    sha256: string,
    seconds: number,
  ): Promise<PresignedRequest>

  /** The parts that arrived, by number; undefined when there is no place for parts any more (completed, dropped, expired). */
  parts(upload: StagedUpload): Promise<readonly ReceivedPart[] | undefined>

  /**
   * Joins the parts; no part can arrive after it. Doing it again is the same, also when the answer of the first was lost.
   *
   * @returns `incomplete` when the store definitely refused these parts.
   * @throws BucketError `unavailable` when the outcome is unknown.
   */
  complete(upload: StagedUpload, parts: readonly ReceivedPart[]): Promise<'complete' | 'incomplete'>

  /** The joined bytes, pinned: what is read and what is promoted are the same. Undefined when they are not there. */
  open(upload: StagedUpload): Promise<StagedBytes | undefined>

  /** Drops whatever this attempt left behind; nothing there is fine. */
  drop(upload: StagedUpload): Promise<void>
}

export interface StagedBytes {
  readonly size: number
  /** All bytes in order, with bounded memory. */
  read(signal: AbortSignal | undefined): AsyncIterable<Uint8Array>
  /** Starts moving the bytes towards the final name, without giving it to them. */
  promote(blob: BlobId): Promise<Promotion>
}

export interface Promotion {
  /**
   * Resolves once every byte has moved and only the name is missing: the part of a promotion that may take minutes.
   *
   * @param keep called every few seconds meanwhile; what it throws ends the waiting.
   * @throws BucketError `unavailable` when the bytes cannot be moved; the reason of the signal.
   */
  copied(keep: () => Promise<void>, signal?: AbortSignal): Promise<void>
  /**
   * Gives the bytes their final name, durably, create-only. Called only when their digest is known to be right. After `copied` it takes
   * less time than a verifier's lease lasts: adapters bound it.
   *
   * @throws BucketError `unavailable` when it is not known whether they have the name; the reason of the signal.
   */
  publish(signal?: AbortSignal): Promise<'written' | 'exists'>
  /** Stops, and removes what was moved; once the bytes have their final name, it leaves them alone. */
  abandon(): Promise<void>
}

/** What a verifier needs to know; everything else is in the row. */
export interface VerificationRequest {
  readonly id: UploadId
  readonly attempt: string
}

export interface VerificationQueue {
  /** Delivers at least once, in any order, soon. */
  send(request: VerificationRequest): Promise<void>
}

export const storedProblem = <C extends ErrorCode>(error: BucketError<C>): StoredProblem =>
  // The members belong to the code: the class holds them together, which the mapped union cannot see.
  ({ code: error.code, detail: error.message, members: error.members }) as StoredProblem
