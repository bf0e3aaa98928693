/**
 * Store: hash, look whether there is anything to send, send. What is there already with the same bytes is a success.
 * The way is chosen by size from what the front says of itself; for now that is one request body.
 */
import { parseText, TEXT_LIMITS } from '#protocol/description'
import { type Digest, digestFromHex, digestHex } from '#protocol/digest'
import { DEFAULT_CONTENT_TYPE, type Entry, entryMessage } from '#protocol/entry'
import { BucketError, isBucketError } from '#protocol/errors'
import { HEADERS } from '#protocol/headers'
import { type ArtifactRef, formatRef } from '#protocol/identifiers'
import { LAMBDA_MAX_INLINE_BYTES, MIB } from '#protocol/limits'
import { versionPath } from '#protocol/routes'
import { readEntry, readJson, type Service } from './answers.ts'
import { findEntry } from './entry.ts'
import type { Front } from './front.ts'
import type { OnProgress } from './progress.ts'
import { retrying } from './retry.ts'
import { hashSource, type Source } from './source.ts'

export interface PutOptions {
  /** Opaque text, 1–256 characters (docs/http-api.md, section 1). */
  readonly uploadedBy?: string | undefined
  /** Opaque text, 1–1,024 characters. */
  readonly provenanceSource?: string | undefined
  /** At most 255 characters; `application/octet-stream` when left out. */
  readonly contentType?: string | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PutResult {
  readonly entry: Entry
  /** False when the same bytes were stored there before. */
  readonly created: boolean
}

/** Above this an entry is asked for before the body is sent: one cheap question against seconds of sending. */
const ASK_FIRST_BYTES = MIB

/** @param service asks for the service document; called only when the size makes it matter. */
export async function put(
  front: Front,
  service: () => Promise<Service>,
  ref: ArtifactRef,
  source: Source,
  options: PutOptions,
): Promise<PutResult> {
  checkDescription(options)
  const { onProgress, signal } = options
  // Every front takes this much in a body, or says itself that it does not.
  if (source.size > LAMBDA_MAX_INLINE_BYTES) checkSize(await service(), ref, source)
  const hex = await hashSource(source, front.platform.sha256(), onProgress, signal)
  const digest = digestFromHex(hex)
  try {
    const stored = source.size > ASK_FIRST_BYTES ? await findEntry(front, ref, signal) : undefined
    if (stored !== undefined) {
      if (stored.digest !== digest) throw versionExists(stored, digest)
      return { entry: stored, created: false }
    }
    return { entry: await storeInline(front, ref, source, digest, options), created: true }
  } catch (error) {
    if (!isBucketError(error, 'version_exists') || error.members.conflict !== 'identical') throw error
    return { entry: readEntry(error.members.stored), created: false }
  }
}

async function storeInline(
  front: Front,
  ref: ArtifactRef,
  source: Source,
  digest: Digest,
  { uploadedBy, provenanceSource, contentType, onProgress, signal }: PutOptions,
): Promise<Entry> {
  const total = source.size
  const entry = await retrying(front.retry, signal, async () => {
    const response = await front.attempt({
      method: 'PUT',
      path: versionPath(ref),
      headers: {
        'content-type': contentType ?? DEFAULT_CONTENT_TYPE,
        [HEADERS.artifactDigest]: digest,
        ...(uploadedBy !== undefined && { [HEADERS.uploadedBy]: uploadedBy }),
        ...(provenanceSource !== undefined && { [HEADERS.provenanceSource]: provenanceSource }),
      },
      body: {
        source,
        sha256: digestHex(digest),
        onSent(bytes) {
          onProgress?.({ phase: 'uploading', bytes, total })
          // What follows is the server's work: it compares the digest and makes the bytes durable.
          if (bytes === total) onProgress?.({ phase: 'verifying', bytes: 0, total })
        },
      },
      accept: [201],
      signal,
    })
    return readEntry(await readJson(response))
  })
  onProgress?.({ phase: 'committed', bytes: total, total })
  return entry
}

function checkSize({ limits }: Service, ref: ArtifactRef, { size }: Source): void {
  const { maxArtifactBytes, maxInlineBytes } = limits
  if (size > maxArtifactBytes)
    throw new BucketError(
      'artifact_too_large',
      `${formatRef(ref)} would have ${size} bytes, this deployment takes at most ${maxArtifactBytes}`,
      { size, max_artifact_bytes: maxArtifactBytes },
    )
  if (size > maxInlineBytes)
    throw new BucketError(
      'inline_too_large',
      `${formatRef(ref)} would have ${size} bytes, this front takes at most ${maxInlineBytes} in one request`,
      { size, max_inline_bytes: maxInlineBytes },
    )
}

/** The refusal that the server would give, known from its entry before a byte is sent. */
function versionExists(stored: Entry, declared: Digest): BucketError {
  return new BucketError(
    'version_exists',
    `${formatRef(stored.ref)} is stored already, with other bytes: ${stored.digest}`,
    { conflict: 'different', declared_digest: declared, stored: entryMessage(stored) },
    { next: 'Choose a new version: a stored version is never replaced.' },
  )
}

/** Finds all faults before gigabytes are read. */
function checkDescription({ uploadedBy, provenanceSource, contentType }: PutOptions): void {
  const checks = [
    [HEADERS.uploadedBy, uploadedBy, TEXT_LIMITS.uploaded_by],
    [HEADERS.provenanceSource, provenanceSource, TEXT_LIMITS.provenance_source],
    ['Content-Type', contentType, TEXT_LIMITS.content_type],
  ] as const
  const faults = checks.flatMap(([name, value, limit]) => {
    const result = value === undefined ? undefined : parseText(value, limit)
    return result === undefined || result.ok ? [] : [{ in: 'header' as const, name, detail: result.detail }]
  })
  if (faults.length > 0) throw BucketError.invalidRequest(faults)
}
