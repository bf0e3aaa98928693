/**
 * The ports of the ledger and the blob store (upload-ports.ts: of uploads, a staging area and a queue). A port is as narrow as
 * its users: readers and writers are separate, so a process that only reads is wired without stubs. An adapter translates its
 * own failures into `BucketError` (`unavailable`, `insufficient_storage`). A store that fails is never "not found".
 * `test/contract/` has one suite per port, and every implementation passes it.
 */
import type { ByteRange } from '../domain/byte-range.ts'
import type { Description } from '../domain/description.ts'
import type { BlobId, Entry } from '../domain/entry.ts'
import type { ArtifactKey, ArtifactRef, Version } from '../domain/identifiers.ts'
import type { PresignedRequest } from '../domain/upload.ts'

/** For the health check of the service. */
export interface HealthCheck {
  /** Resolves if the store answers. */
  check(): Promise<void>
}

export interface LedgerReader extends HealthCheck {
  /** The entry, as of all appends that resolved before. */
  find(ref: ArtifactRef): Promise<Entry | undefined>

  /** Entries in the byte order of `version`, at most `limit`, after `after`. */
  list(key: ArtifactKey, after: Version | undefined, limit: number): Promise<LedgerPage>
}

export interface LedgerPage {
  readonly entries: readonly Entry[]
  /** The next page begins after this version; null on the last page. A page may be short, even empty, before the last. */
  readonly next: Version | null
}

export interface LedgerWriter {
  /**
   * Creates the entry if its reference has none, in one conditional write: the commit point. Durable before it resolves.
   *
   * @param commitId names the request that commits. The same id again is the same append (an SDK's retry of its own write).
   */
  append(entry: Entry, commitId: string): Promise<AppendResult>
}

/** A ledger that keeps small blobs in its entries. */
export interface WholeWriter {
  /**
   * As `LedgerWriter.append`, for an entry with the bytes of its blob: both are durable before it resolves.
   *
   * @param bytes of the size and the digest in `entry`; at most 16 KiB.
   */
  appendWhole(entry: Entry, bytes: Uint8Array, commitId: string): Promise<AppendResult>
}

export type AppendResult =
  /** This call's entry is in the ledger, even if an earlier attempt with the same `commitId` put it there. */
  | { readonly appended: true; readonly entry: Entry }
  /** Another entry has the ref. The ledger is unchanged. */
  | { readonly appended: false; readonly entry: Entry }

export interface Ledger extends LedgerReader, LedgerWriter {}

export interface BlobReader {
  /**
   * Opens the bytes, or one range of them that lies within the blob.
   *
   * @throws BucketError `blob_lost` when the blob is missing or ends before the range: a ledger entry promised it; `unavailable` when it
   *   cannot be read now.
   */
  read(
    blob: BlobId,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>>
}

/** The facts about a blob under its final name that are known without reading its bytes (invariant I1). */
export type BlobState =
  | { readonly found: false }
  | {
      readonly found: true
      /** Bytes. */
      readonly size: number
      /** The store checked the digest as the bytes arrived, or only our own writers can have written this blob. */
      readonly attested: boolean
    }

export interface BlobInspector {
  inspect(blob: BlobId): Promise<BlobState>
}

export interface BlobWriter {
  /**
   * Writes a blob under its final name. Resolves once the bytes are durable, or are guaranteed to be before any entry
   * appended later. Callers that append nothing must call `inspect`, which finds only durable blobs.
   * `bytes` ends normally only if all bytes arrived and had the digest. If it throws, `write` throws the same error, and
   * nothing has the final name.
   *
   * @returns `exists` when the final name is taken; the blob was left alone and counts only after `inspect`.
   */
  write(blob: BlobId, bytes: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<'written' | 'exists'>
}

export interface WriteOptions {
  /** Bytes, if the sender announced them. The verified stream enforces it. */
  readonly size: number | undefined
  /** Kept with the bytes where the store can, so that a lost ledger can be rebuilt from the blobs. */
  readonly description: Description
  readonly signal: AbortSignal | undefined
}

export interface FetchPresigner {
  /** A request that returns the bytes with the headers of docs/http-api.md, section 5, valid for `seconds` from now. */
  presignGet(entry: Entry, seconds: number): Promise<PresignedRequest>
}

export interface StorePresigner {
  /** A request that stores the blob. The store refuses other bytes, another length, and a second blob. */
  presignPut(blob: BlobId, size: number, description: Description, seconds: number): Promise<PresignedRequest>
}

/** A whole blob store. Its `check` resolves if it can take a write. */
export interface BlobStore
  extends BlobReader,
    BlobInspector,
    BlobWriter,
    FetchPresigner,
    StorePresigner,
    HealthCheck {}

/** Milliseconds since the epoch; a port so that expiry can be tested. */
export type Clock = () => number
