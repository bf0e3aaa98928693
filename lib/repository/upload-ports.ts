/**
 * The ports of uploads: a table of upload rows, a staging area for parts, and a queue of verifications. Rows change only by
 * compare-and-set. The row changes first, then the staging area, then the queue (docs/races.md).
 */
import type { Description } from '../domain/description.ts'
import type { BlobId } from '../domain/entry.ts'
import type { UploadFailure } from '../domain/failure.ts'
import type { UploadMode } from '../domain/limits.ts'
import type { PresignedRequest, ReceivedPart, UploadId } from '../domain/upload.ts'

/** The row of one upload. Times are in milliseconds since the epoch, sizes in bytes. */
export interface UploadRecord {
  readonly id: UploadId
  /** New each time the upload begins again; part of the row, the staging key, the queue message and every condition. */
  readonly attempt: string
  /** Counts the writes of this row; compared on every write. */
  readonly revision: number
  readonly mode: UploadMode
  readonly size: number
  readonly description: Description
  readonly state: 'open' | 'verifying' | 'committed' | 'failed'
  readonly expiresAt: number
  /** The staging area's name for this attempt; null in single mode. */
  readonly stagingId: string | null
  /** The verifier that holds the lease; null until one has taken it. */
  readonly leaseOwner: string | null
  /** Until then, only the lease holder (or the verifier that the queue will start) may change the row. */
  readonly leaseUntil: number
  readonly verifiedBytes: number
  /** Set in state `failed`. */
  readonly failure: UploadFailure | null
}

export interface UploadsReader {
  /** The row as of all writes that resolved before. Also returns expired rows: the rules judge expiry. */
  find(id: UploadId): Promise<UploadRecord | undefined>
}

export interface UploadsWriter {
  /**
   * Writes a row if it is still `previous` (same attempt and revision), or still absent where there is no `previous`.
   * A write that expects a row never creates one.
   *
   * @returns whether it was written.
   */
  write(next: UploadRecord, previous: UploadRecord | undefined): Promise<boolean>

  /** Removes a row if it is still `previous`. @returns whether it was removed. */
  remove(previous: UploadRecord): Promise<boolean>
}

export interface Uploads extends UploadsReader, UploadsWriter {}

/** The members of a row that identify its staged bytes. */
export type StagedUpload = Pick<UploadRecord, 'id' | 'attempt' | 'stagingId' | 'size'>

export interface StagingReader {
  /** The parts that arrived, by number; undefined when the attempt accepts no more parts: it was completed or dropped, or has expired. */
  parts(upload: StagedUpload): Promise<readonly ReceivedPart[] | undefined>
}

export interface PartPresigner {
  /** A request that stores one part. The store refuses other bytes and another length. */
  presignPart(
    upload: StagedUpload,
    number: number,
    size: number,
    sha256: string,
    seconds: number,
  ): Promise<PresignedRequest>
}

export interface Staging extends StagingReader, PartPresigner {
  /** Prepares the staging area for the parts of one attempt. @returns its staging id. */
  begin(id: UploadId, attempt: string, size: number): Promise<string>

  /**
   * Joins the parts. No part can arrive afterwards. A repeat has the same result, even if the first response was lost.
   *
   * @returns `incomplete` when the store definitely refused these parts.
   * @throws BucketError `unavailable` when the outcome is unknown.
   */
  complete(upload: StagedUpload, parts: readonly ReceivedPart[]): Promise<'complete' | 'incomplete'>

  /** The joined bytes, pinned: the bytes that are read are the bytes that are promoted. Undefined when there are none. */
  open(upload: StagedUpload): Promise<StagedBytes | undefined>

  /** Drops everything that this attempt staged; does nothing if there is nothing. */
  drop(upload: StagedUpload): Promise<void>
}

export interface StagedBytes {
  readonly size: number
  /** All bytes in order, with bounded memory. */
  read(signal: AbortSignal | undefined): AsyncIterable<Uint8Array>
  /**
   * Starts moving the bytes towards the final name, without giving it to them.
   *
   * @param description is kept with the bytes, as in `WriteOptions`.
   */
  promote(blob: BlobId, description: Description): Promise<Promotion>
}

export interface Promotion {
  /**
   * Resolves once every byte has moved and only the name is missing: the step of a promotion that may take minutes.
   *
   * @param keep called every few seconds meanwhile; an error from it ends the wait.
   * @throws BucketError `unavailable` when the bytes cannot be moved; the reason of the signal.
   */
  waitForCopies(keep: () => Promise<void>, signal?: AbortSignal): Promise<void>
  /**
   * Gives the bytes their final name, durably, create-only. Called only when their digest is known to be right. After
   * `waitForCopies` it takes less time than a verifier's lease: adapters bound it.
   *
   * @throws BucketError `unavailable` when it is unknown whether they have the name; the reason of the signal.
   */
  publish(signal?: AbortSignal): Promise<'written' | 'exists'>
  /** Stops, and removes the moved bytes. Bytes with their final name are kept. */
  abandon(): Promise<void>
}

/** Names the attempt to verify; everything else is in the row. */
export interface VerificationRequest {
  readonly id: UploadId
  readonly attempt: string
}

export interface VerificationQueue {
  /** Delivers at least once, in any order, within seconds. */
  send(request: VerificationRequest): Promise<void>
}
