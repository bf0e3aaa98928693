/**
 * Storing an artifact version in one request: look, hash while writing, compare, publish, append.
 * The order makes every refusal cheap and every failure invisible: the ledger append is the only step that readers can see.
 */
import type { Digest } from '../domain/digest.ts'
import type { Description, Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'
import { formatRef } from '../domain/identifiers.ts'
import { uploadPath } from '../protocol/routes.ts'
import { assureBlob } from './assure-blob.ts'
import { conflict, versionExists } from './conflict.ts'
import type { BlobStore, Call, Clock, Ledger } from './ports.ts'
import { verifiedStream } from './verified-stream.ts'

export interface StoreRequest {
  readonly ref: ArtifactRef
  readonly digest: Digest
  readonly description: Description
  /** Bytes announced by the sender, if it did. */
  readonly size: number | undefined
  /** The sender asked with `If-None-Match: *`: a conflict is then a failed precondition. */
  readonly onlyIfAbsent: boolean
  /** Asks for the bytes; called only when nothing speaks against the request any more. */
  readonly body: () => AsyncIterable<Uint8Array>
}

export interface StoreDependencies {
  readonly blobs: BlobStore
  readonly ledger: Ledger
  readonly clock: Clock
  readonly maxArtifactBytes: number
  readonly maxInlineBytes: number
}

/**
 * Stores one artifact version.
 *
 * @returns the entry that this call committed.
 * @throws BucketError, in this order: `artifact_too_large` or `inline_too_large`, `version_exists` or `precondition_failed`,
 * `digest_mismatch`; `unavailable` and `insufficient_storage` at any time (docs/http-api.md, section 4).
 */
export async function store(deps: StoreDependencies, request: StoreRequest, call: Call): Promise<Entry> {
  const { blobs, ledger } = deps
  const { ref, digest, description, size } = request
  const refuse = (stored: Entry) =>
    request.onlyIfAbsent
      ? new BucketError(
          'precondition_failed',
          `${formatRef(ref)} is stored already`,
          conflict(digest, stored),
        )
      : versionExists(digest, stored)

  const limit = Math.min(deps.maxArtifactBytes, deps.maxInlineBytes)
  if (size !== undefined && size > limit) throw tooLarge(deps, request, size)
  const stored = await call.time('ledger', ledger.find(ref))
  if (stored) throw refuse(stored)

  const blob = { ref, digest }
  const bytes = verifiedStream(request.body(), {
    digest,
    size,
    maxBytes: limit,
    tooLarge: () => tooLarge(deps, request, undefined),
  })
  const options = { size, contentType: description.contentType, signal: call.signal }
  const written = await call.time('blobs', blobs.write(blob, bytes, options))
  // Someone's bytes have the name already: they count only when they are proven to be these.
  if (written === 'exists') await call.time('blobs', assureBlob(blobs, blob, bytes.size, call.signal))

  const entry: Entry = {
    ref,
    digest,
    size: bytes.size,
    ...description,
    createdAt: new Date(deps.clock()).toISOString(),
  }
  const result = await call.time('ledger', ledger.append(entry, call.requestId))
  if (!result.appended) throw refuse(result.entry)
  return result.entry
}

function tooLarge(deps: StoreDependencies, request: StoreRequest, size: number | undefined): BucketError {
  const known = size === undefined ? {} : { size }
  const { maxArtifactBytes, maxInlineBytes } = deps
  const bytes = size === undefined ? 'the body' : `${size} bytes`
  if ((size ?? maxInlineBytes) > maxArtifactBytes || maxInlineBytes >= maxArtifactBytes)
    return new BucketError(
      'artifact_too_large',
      `${bytes} exceed the limit of ${maxArtifactBytes} bytes for one artifact`,
      {
        ...known,
        max_artifact_bytes: maxArtifactBytes,
      },
    )
  const upload = uploadPath(request.ref, request.digest)
  return new BucketError(
    'inline_too_large',
    `${bytes} exceed the ${maxInlineBytes} bytes that one request may carry here`,
    {
      ...known,
      max_inline_bytes: maxInlineBytes,
      upload,
    },
  )
}
