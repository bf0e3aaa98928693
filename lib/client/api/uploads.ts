/** The requests about uploads (docs/http-api.md, section 7). Responses are checked before they are used. */
import type { Description } from '../../domain/description.ts'
import type { Digest } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { type BucketError, isBucketError, toError } from '../../domain/errors.ts'
import { type ArtifactRef, formatPinnedRef, formatRef } from '../../domain/identifiers.ts'
import type { UploadMode } from '../../domain/limits.ts'
import type { PartDigest, ReceivedPart, UploadTerms } from '../../domain/upload.ts'
import { decodePartRequests, decodeProblem, decodeUpload } from '../../protocol/decode.ts'
import { encodePartDigests, encodeUploadTerms } from '../../protocol/encode.ts'
import { MEDIA_TYPES } from '../../protocol/headers.ts'
import { commitPath, uploadPartsPath, uploadPath } from '../../protocol/routes.ts'
import { bytesSource } from '../transfer/source.ts'
import type { ApiClient, ApiRequest, Presigned } from './api-client.ts'
import {
  aboutAnother,
  decoded,
  decodeEntryOf,
  ensureEntryOf,
  type JsonObject,
  readJson,
  unexpectedResponse,
} from './decode.ts'
import { readRetryAfter } from './decode-problem.ts'
import { isRetryable, retrying, TransferPatience } from './retry.ts'

/** An unfinished upload, found by ref and digest. */
export interface Upload {
  readonly ref: ArtifactRef
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** As the upload began. */
  readonly description: Description
  readonly mode: UploadMode
  readonly state: 'open' | 'verifying' | 'committed' | 'failed'
  /** RFC 3339. */
  readonly expiresAt: string
  /** The received bytes of an open upload: in single mode all or nothing, in multipart mode these parts. */
  readonly received: boolean | readonly ReceivedPart[]
  /** The progress of the verification, in bytes. */
  readonly verifiedBytes: number
  /** Once it is committed. */
  readonly entry: Entry | undefined
  /** Why it failed. */
  readonly problem: BucketError | undefined
}

/** An upload as its sender sees it. */
export interface BegunUpload extends Upload {
  /** The request that stores the bytes, in single mode while they are expected. */
  readonly request: Presigned | undefined
}

/** @throws NetworkError `unexpected_response` when it is not an upload, or one of another reference or digest. */
function uploadOf(value: JsonObject, { ref, digest }: UploadId): BegunUpload {
  const upload = decoded(decodeUpload(value), 'upload')
  const { id, size, description, mode, expiresAt, state } = upload
  if (formatRef(id.ref) !== formatRef(ref) || id.digest !== digest)
    throw aboutAnother(formatPinnedRef({ ref, digest }), formatPinnedRef(id))
  return {
    ref,
    digest,
    size,
    description,
    mode,
    state,
    expiresAt,
    received: state === 'open' ? upload.received : mode === 'multipart' ? [] : false,
    verifiedBytes: state === 'verifying' ? upload.verifiedBytes : 0,
    entry: state === 'committed' ? ensureEntryOf(ref, digest, upload.entry) : undefined,
    // With the server's own advice, which the failure alone does not keep.
    problem: state === 'failed' ? (decodeProblem(value.problem) ?? toError(upload.failure)) : undefined,
    request: state === 'open' && upload.mode === 'single' ? upload.request : undefined,
  }
}

export interface UploadId {
  readonly ref: ArtifactRef
  readonly digest: Digest
}

const withJson = (api: ApiClient, value: unknown): Pick<ApiRequest, 'headers' | 'body'> => {
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  const hash = api.platform.sha256()
  hash.update(bytes)
  return {
    headers: { 'content-type': MEDIA_TYPES.json },
    body: { source: bytesSource(bytes), sha256: hash.hex() },
  }
}

/** Begins an upload or finds it again; the service chooses how it is sent. */
export async function beginUpload(
  api: ApiClient,
  { ref, digest }: UploadId,
  terms: Omit<UploadTerms, 'mode'>,
  signal: AbortSignal | undefined,
): Promise<BegunUpload> {
  const response = await api.json({
    method: 'PUT',
    path: uploadPath(ref, digest),
    ...withJson(api, encodeUploadTerms({ ...terms, mode: undefined })),
    accept: [200, 201],
    signal,
  })
  return uploadOf(response, { ref, digest })
}

/** @throws BucketError `upload_not_found`. */
export async function uploadState(
  api: ApiClient,
  id: UploadId,
  signal: AbortSignal | undefined,
  patience?: TransferPatience,
): Promise<Upload> {
  return await retrying(api, signal, () => lookAtUpload(api, id, signal), patience)
}

/** One attempt of the same. */
async function lookAtUpload(
  api: ApiClient,
  { ref, digest }: UploadId,
  signal: AbortSignal | undefined,
): Promise<Upload> {
  const path = uploadPath(ref, digest)
  const response = await api.attempt({ method: 'GET', path, accept: [200], signal })
  const { request: _, ...upload } = uploadOf(await readJson(response, api.timeouts), { ref, digest })
  return upload
}

/** @throws BucketError `upload_not_found`; `upload_conflict` while it is verified or once it is committed. */
export async function abortUpload(
  api: ApiClient,
  { ref, digest }: UploadId,
  signal: AbortSignal | undefined,
): Promise<void> {
  await retrying(api, signal, async () => {
    const path = uploadPath(ref, digest)
    const response = await api.attempt({ method: 'DELETE', path, accept: [204], signal })
    response.discard()
  })
}

/** @param parts 1 to 100 of them. @returns the requests by part number. */
export async function presignParts(
  api: ApiClient,
  { ref, digest }: UploadId,
  parts: readonly PartDigest[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, Presigned>> {
  const response = await api.json({
    method: 'POST',
    path: uploadPartsPath(ref, digest),
    ...withJson(api, encodePartDigests(parts)),
    accept: [200],
    signal,
    isInTransfer: true,
  })
  const given = decoded(decodePartRequests(response), 'list of requests for parts')
  const requests = new Map(given.map(({ number, request }) => [number, request]))
  if (parts.some(({ number }) => !requests.has(number))) throw unexpectedResponse('no request for every part')
  return requests
}

export type CommitAnswer =
  | { readonly entry: Entry; readonly created: boolean }
  /** The bytes are being verified: poll the upload after this many milliseconds. */
  | { readonly lookAfterMs: number | undefined }
  /** The upload has failed with this error, and no further commit changes that. */
  | { readonly problem: BucketError }

/** @throws BucketError `upload_incomplete`, `upload_not_found`, `version_exists`, `digest_mismatch`, `unavailable`. */
export async function commitUpload(
  api: ApiClient,
  id: UploadId,
  signal: AbortSignal | undefined,
): Promise<CommitAnswer> {
  const path = commitPath(id.ref, id.digest)
  let isRepeated = false
  return await retrying(
    api,
    signal,
    async () => {
      try {
        const response = await api.attempt({ method: 'POST', path, accept: [200, 201, 202], signal })
        if (response.status === 202) {
          response.discard()
          const seconds = readRetryAfter(response.headers.get('retry-after'))
          return { lookAfterMs: seconds === undefined ? undefined : seconds * 1000 }
        }
        const entry = decodeEntryOf(id.ref, id.digest, await readJson(response, api.timeouts))
        // A commit whose response was lost may have succeeded.
        return { entry, created: response.status === 201 || isRepeated }
      } catch (error) {
        isRepeated ||= isRetryable(error)
        if (!isBucketError(error, 'unavailable')) throw error
        // An upload that failed because of its stores answers every commit like a service that is briefly down. Only its state distinguishes
        // the two. If the state cannot be read either, the service is down.
        const upload = await lookAtUpload(api, id, signal).catch(() => undefined)
        signal?.throwIfAborted()
        if (upload?.problem === undefined) throw error
        return { problem: upload.problem }
      }
    },
    new TransferPatience(api.retry, { hasMoved: true }),
  )
}
