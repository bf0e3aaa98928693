/**
 * Stores bytes: hash, check whether they are stored, send. The same bytes under the same ref are a success. Size and the limits of the API
 * decide between one request body and a resumable upload.
 */
import { versionExists } from '../../domain/conflict.ts'
import { DESCRIPTION, DESCRIPTION_MEMBERS, descriptionOf, parseText } from '../../domain/description.ts'
import { type Digest, digestFromHex, digestHex } from '../../domain/digest.ts'
import { BucketError, isBucketError } from '../../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { LAMBDA_MAX_INLINE_BYTES, MIB, SINGLE_BY_DEFAULT_BYTES } from '../../domain/limits.ts'
import { descriptionHeaders } from '../../protocol/description.ts'
import { HEADERS } from '../../protocol/headers.ts'
import { versionPath } from '../../protocol/routes.ts'
import type { ApiClient } from '../api/api-client.ts'
import { decodeEntryOf, ensureEntryOf, readJson, type Service } from '../api/decode.ts'
import { entryIfStored } from '../api/entries.ts'
import { digestOf } from '../api/open-range.ts'
import { retrying, TransferPatience } from '../api/retry.ts'
import { hashSource } from './artifact-hash.ts'
import type { PutOptions, PutResult } from './put-options.ts'
import type { Source } from './source.ts'
import { upload } from './upload.ts'
import { tooLarge } from './within-limit.ts'

/** Above this size the entry is requested before the bytes are sent: one cheap request may save seconds of sending. */
const ASK_FIRST_BYTES = MIB

/**
 * Up to this size one request body is the way, where the front accepts it: below it an upload would be sent in one piece
 * as well, so that nothing could be resumed; it costs two more round trips and, measured on the local server, is not faster.
 */
const INLINE_BYTES = SINGLE_BY_DEFAULT_BYTES

/** @param service fetches the service document; called only if the size requires it. */
export async function put(
  api: ApiClient,
  service: () => Promise<Service>,
  ref: ArtifactRef,
  source: Source,
  options: PutOptions,
): Promise<PutResult> {
  checkDescription(options)
  const pinned = options.digest === undefined ? undefined : digestOf(options.digest)
  const { signal } = options
  const isInline = await fitsInline(source.size, service, ref)
  const digests = await hashSource(source, api.platform.sha256, options)
  const digest = digestFromHex(digests.sha256)
  if (pinned !== undefined && digest !== pinned) throw otherBytes(ref, pinned, digest, source.size)
  const uploadNew = async () => ({ ...(await upload(api, ref, source, digests, options)), restored: false })
  try {
    const stored = source.size > ASK_FIRST_BYTES ? await entryIfStored(api, ref, signal) : undefined
    if (stored !== undefined) {
      if (stored.digest !== digest) throw versionExists(digest, stored)
      // The server begins an upload of stored bytes only if it has lost them.
      const { entry } = await upload(api, ref, source, digests, options)
      return { entry, created: false, restored: true }
    }
    if (!isInline) return await uploadNew()
    return await storeInline(api, ref, source, digest, options)
  } catch (error) {
    // The server may accept less than any known one.
    if (isInline && isBucketError(error, 'inline_too_large'))
      return await uploadNew().catch((refusal) => asFound(ref, digest, refusal))
    return asFound(ref, digest, error)
  }
}

/** The caller wants these bytes stored, and they are. */
function asFound(ref: ArtifactRef, digest: Digest, error: unknown): PutResult {
  if (!isBucketError(error, 'version_exists') || error.details.conflict !== 'identical') throw error
  return { entry: ensureEntryOf(ref, digest, error.details.stored), created: false, restored: false }
}

async function storeInline(
  api: ApiClient,
  ref: ArtifactRef,
  source: Source,
  digest: Digest,
  options: PutOptions,
): Promise<PutResult> {
  const { onProgress, signal } = options
  const total = source.size
  const description = descriptionOf(options)
  // A small body is repeated as any request; the sending of a larger one survives an outage of minutes.
  const patience = new TransferPatience(api.retry)
  let furthest = ASK_FIRST_BYTES
  const send = async () => {
    const response = await api.attempt({
      method: 'PUT',
      path: versionPath(ref),
      headers: { ...descriptionHeaders(description), [HEADERS.artifactDigest]: digest },
      body: {
        source,
        sha256: digestHex(digest),
        onSent(bytes) {
          if (bytes > furthest) {
            furthest = bytes
            patience.progressed()
          }
          // A request body is acknowledged only as a whole.
          onProgress?.({ phase: 'uploading', bytes: 0, total, sent: bytes })
          // From here on the server works: it compares the digest and makes the bytes durable.
          if (bytes === total) onProgress?.({ phase: 'verifying', bytes: 0, total })
        },
      },
      accept: [200, 201],
      signal,
    })
    const entry = decodeEntryOf(ref, digest, await readJson(response, api.timeouts))
    const { status } = response
    return { entry, created: status === 201, restored: status === 200 }
  }
  const result = await retrying(api, signal, send, patience)
  onProgress?.({ phase: 'committed', bytes: total, total })
  return result
}

async function fitsInline(size: number, service: () => Promise<Service>, ref: ArtifactRef): Promise<boolean> {
  // Every server accepts this much in a body, or refuses with its limit.
  if (size <= LAMBDA_MAX_INLINE_BYTES) return true
  const { maxArtifactBytes, maxInlineBytes } = (await service()).limits
  if (size > maxArtifactBytes) throw tooLarge(formatRef(ref), size, maxArtifactBytes)
  return size <= Math.min(maxInlineBytes, INLINE_BYTES)
}

/** Detected before anything is sent, such as the truncated output of a failed program. */
const otherBytes = (ref: ArtifactRef, pinned: Digest, computed: Digest, size: number) =>
  new BucketError(
    'digest_mismatch',
    `the bytes for ${formatRef(ref)} have the digest ${computed}, not the expected ${pinned}`,
    { declaredDigest: pinned, computedDigest: computed, size },
    { next: 'Nothing was sent. Check that the source is complete and is the one you mean.' },
  )

/** Reports every error before gigabytes are read. */
function checkDescription(options: PutOptions): void {
  const errors = DESCRIPTION_MEMBERS.flatMap((member) => {
    const text = options[member]
    const result = text === undefined ? undefined : parseText(text, DESCRIPTION[member].maxLength)
    if (result === undefined || result.ok) return []
    return [{ name: member, detail: result.error }]
  })
  if (errors.length > 0) throw BucketError.invalidRequest(errors)
}
