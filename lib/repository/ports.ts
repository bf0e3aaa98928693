/**
 * What the rules ask of the world: a blob store and a ledger (uploads have ports of their own, in upload-ports.ts).
 * An adapter translates its own failures into `BucketError` (`unavailable`, `insufficient_storage`): a store that fails is never "not found".
 * `test/contract/` holds one suite for each port, and every implementation passes it.
 */
import type { ByteRange } from '../domain/byte-range.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactKey, ArtifactRef, Version } from '../domain/identifiers.ts'

/** Names the bytes of one version: not shared between references, so that nobody can claim what another stored. */
export interface BlobId {
  readonly ref: ArtifactRef
  readonly digest: Digest
}

/** A request that the store itself checks and answers; to be sent verbatim. */
export interface PresignedRequest {
  readonly method: 'GET' | 'PUT'
  /** Absolute, or a path on the front that hands it out. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** RFC 3339, UTC, milliseconds. */
  readonly expiresAt: string
}

export interface WriteOptions {
  /** Bytes to come, where the sender said so. The verified stream enforces it. */
  readonly size: number | undefined
  readonly contentType: string
  readonly signal: AbortSignal | undefined
}

/** What is known about a blob under its final name, without reading its bytes (invariant I1). */
export type BlobState =
  | { readonly found: false }
  | {
      readonly found: true
      /** Bytes. */
      readonly size: number
      /** The store vouches for the digest, or only our own writers could have written this. */
      readonly attested: boolean
    }

export interface BlobStore {
  /**
   * Writes a blob under its final name. When it resolves, the bytes are durable, or will be no later than any entry that is
   * appended from now on; whoever appends none asks `inspect`, which finds only what is durable.
   * `bytes` ends normally only when all bytes arrived and had the digest; when it throws, so does this, with the same
   * error, and nothing has the final name.
   *
   * @returns `exists` when the final name is taken and was left alone: it counts only after `inspect`.
   */
  write(blob: BlobId, bytes: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<'written' | 'exists'>

  inspect(blob: BlobId): Promise<BlobState>

  /**
   * Opens the bytes, or one range of them that lies within the blob.
   *
   * @throws BucketError `unavailable` when the blob cannot be opened, also when it is missing: a ledger entry promised it.
   */
  read(
    blob: BlobId,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>>

  /** A request that gives the bytes with the headers of docs/http-api.md, section 5, for `seconds` from now. */
  presignGet(entry: Entry, seconds: number): Promise<PresignedRequest>

  /** A request that stores the blob: the store refuses other bytes, another length, or a second blob. */
  presignPut(blob: BlobId, size: number, contentType: string, seconds: number): Promise<PresignedRequest>

  /** Resolves when the store can take a write; for `GET /v1/health`. */
  check(): Promise<void>
}

export type AppendResult =
  /** This call's entry is in the ledger (also when an earlier try of the same `commitId` put it there). */
  | { readonly appended: true; readonly entry: Entry }
  /** Another entry holds the reference; nothing changed. */
  | { readonly appended: false; readonly entry: Entry }

export interface LedgerPage {
  readonly entries: readonly Entry[]
  /** Go on after this version; null when there is nothing more. A page may be short, even empty, before that. */
  readonly next: Version | null
}

export interface Ledger {
  /** The entry, as of all appends that were answered before. */
  find(ref: ArtifactRef): Promise<Entry | undefined>

  /**
   * Creates the entry if its reference has none, in one conditional write: the commit point. Durable before it resolves.
   *
   * @param commitId names the request that commits; the same id again is the same append (an SDK's retry of its own write).
   */
  append(entry: Entry, commitId: string): Promise<AppendResult>

  /** Entries in the byte order of `version`, at most `limit`, after `after`. */
  list(key: ArtifactKey, after: Version | undefined, limit: number): Promise<LedgerPage>

  /** Resolves when the ledger answers one read; for `GET /v1/health`. */
  check(): Promise<void>
}

/** What a rule needs to know about the request that it works for. */
export interface Call {
  readonly requestId: string
  readonly signal?: AbortSignal
  /** Records how long a wait took, under a name for `Server-Timing`. */
  time<T>(phase: 'ledger' | 'blobs' | 'uploads', wait: Promise<T>): Promise<T>
}

/** Milliseconds since the epoch; a port so that expiry can be tested. */
export type Clock = () => number
