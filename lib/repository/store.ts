/**
 * Stores an artifact version in one request: look, hash while writing, compare, publish, append.
 * The order makes every refusal cheap and every failure invisible: the ledger append is the only step that readers can see.
 */

import { hash } from 'node:crypto'
import { conflictWith, versionExists } from '../domain/conflict.ts'
import type { Description } from '../domain/description.ts'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../domain/identifiers.ts'
import { ensureBlobIntact, isBlobIntact } from './ensure-blob-intact.ts'
import { isRestorable } from './lost-blob.ts'
import type {
  BlobInspector,
  BlobReader,
  BlobWriter,
  Clock,
  LedgerReader,
  LedgerWriter,
  WholeWriter,
} from './ports.ts'
import { verifyingStream } from './verifying-stream.ts'

export interface StoreRequest {
  readonly ref: ArtifactRef
  readonly digest: Digest
  readonly description: Description
  /** Bytes, if the sender announced them. */
  readonly size: number | undefined
  /** A version that is stored already is then a failed precondition, not a conflict. */
  readonly onlyIfAbsent: boolean
  /** Requests the bytes; called only after every check that needs none of them. */
  readonly body: () => AsyncIterable<Uint8Array>
  /** Names this request in the ledger (`LedgerWriter.append`). */
  readonly commitId: string
  readonly signal?: AbortSignal | undefined
}

export interface StoreDependencies {
  readonly blobs: BlobWriter & BlobInspector & BlobReader
  readonly ledger: LedgerReader & LedgerWriter
  readonly clock: Clock
  readonly maxArtifactBytes: number
  /** The largest body of one request, in bytes. */
  readonly maxInlineBytes: number
}

export type StoreResult =
  /** This call made the version visible. */
  | { readonly outcome: 'created'; readonly entry: Entry }
  /** The version was stored before, and this call brought its lost blob back. */
  | { readonly outcome: 'restored'; readonly entry: Entry }

/**
 * Stores one artifact version, or restores the lost blob of a stored one.
 *
 * @throws BucketError, in this order: `artifact_too_large` or `inline_too_large`, `version_exists` or `precondition_failed`,
 * `digest_mismatch`; `unavailable` and `insufficient_storage` at any time (docs/http-api.md, section 4).
 */
export async function store(deps: StoreDependencies, request: StoreRequest): Promise<StoreResult> {
  const { blobs, ledger } = deps
  const { ref, digest, description, size, signal } = request

  const limit = Math.min(deps.maxArtifactBytes, deps.maxInlineBytes)
  if (size !== undefined && size > limit) throw tooLarge(deps, request, size)
  const stored = await ledger.find(ref)
  if (stored && !(await isRestorable(blobs, stored, digest))) throw taken(request, stored)

  const blob = { ref, digest }
  const bytes = verifyingStream(onDemand(request.body), {
    digest,
    size,
    maxBytes: limit,
    tooLarge: () => tooLarge(deps, request, undefined),
  })
  const written = await blobs.write(blob, bytes, { size, description: stored ?? description, signal })
  if (stored) {
    // No append follows that would make the blob durable.
    if (!(await isBlobIntact(blobs, blob, stored.size, signal))) throw notRestored(stored)
    return { outcome: 'restored', entry: stored }
  }
  // Bytes that already have the name count only if they are proven to be these.
  if (written === 'exists') await ensureBlobIntact(blobs, blob, bytes.size, signal)

  const createdAt = new Date(deps.clock()).toISOString()
  const entry: Entry = { ref, digest, size: bytes.size, ...description, createdAt }
  const result = await ledger.append(entry, request.commitId)
  if (!result.appended) throw taken(request, result.entry)
  return { outcome: 'created', entry: result.entry }
}

/**
 * `store` for the usual case: small bytes that arrived already, for a version that is not stored yet, in a ledger that takes both at once.
 *
 * @returns the entry that this call committed; undefined if this is not the usual case after all. `store` then says what it is.
 * @throws as `store`. An append with the same `commitId` may be tried again.
 */
export async function storeWhole(
  { ledger, clock }: { readonly ledger: WholeWriter; readonly clock: Clock },
  { ref, digest, description, commitId }: Pick<StoreRequest, 'ref' | 'digest' | 'description' | 'commitId'>,
  bytes: Uint8Array,
): Promise<Entry | undefined> {
  if (digestFromHex(hash('sha256', bytes, 'hex')) !== digest) return undefined
  const createdAt = new Date(clock()).toISOString()
  const entry: Entry = { ref, digest, size: bytes.byteLength, ...description, createdAt }
  const result = await ledger.appendWhole(entry, bytes, commitId)
  return result.appended ? result.entry : undefined
}

/** Some stores let only an operator replace a blob. */
const notRestored = ({ ref, digest, size }: Entry): BucketError<'blob_lost'> =>
  BucketError.blobLost(
    `the stored bytes of ${formatRef(ref)} are damaged, and only the operator can remove them`,
    `the name of the blob ${digest} of ${formatRef(ref)} is taken by other bytes than its ${size}: remove them, then store again`,
  )

/** Requests the bytes on the first read, so that a blob store without space refuses before they are sent. */
async function* onDemand(body: () => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield* body()
}

const taken = ({ digest, onlyIfAbsent }: StoreRequest, stored: Entry): BucketError =>
  onlyIfAbsent
    ? new BucketError(
        'precondition_failed',
        `${formatRef(stored.ref)} is stored already`,
        conflictWith(digest, stored),
      )
    : versionExists(digest, stored)

/** @param size the announced bytes; undefined when a body without an announced size exceeded the limit. */
function tooLarge(deps: StoreDependencies, request: StoreRequest, size: number | undefined): BucketError {
  const { maxArtifactBytes, maxInlineBytes } = deps
  const exceedsArtifact = (size ?? maxInlineBytes) > maxArtifactBytes || maxInlineBytes >= maxArtifactBytes
  if (exceedsArtifact) return BucketError.artifactTooLarge(size, maxArtifactBytes)
  const { ref, digest } = request
  return new BucketError(
    'inline_too_large',
    `${size === undefined ? 'these bytes' : `${size} bytes`} exceed the ${maxInlineBytes} bytes that one request may carry here`,
    { ...(size !== undefined && { size }), maxInlineBytes, uploadId: { ref, digest } },
  )
}
