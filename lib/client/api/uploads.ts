/** Reads what the API says of an upload (docs/http-api.md, section 7); nothing that is relied on is taken on trust. */
import type { Digest } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { BucketError, isBucketError } from '../../domain/errors.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { partSize, type UploadMode } from '../../domain/limits.ts'
import { decodeProblem } from '../../protocol/decode.ts'
import { commitPath, uploadPartsPath, uploadPath } from '../../protocol/routes.ts'
import { bytesSource } from '../transfer/source.ts'
import type { ApiClient, ApiRequest, Presigned } from './api-client.ts'
import {
  decodeByteCount,
  decodeDigest,
  decodeEntryOf,
  isObject,
  type JsonObject,
  readJson,
  unexpectedResponse,
} from './decode.ts'
import { readRetryAfter } from './decode-problem.ts'
import { isRetryable, retrying } from './retry.ts'

export interface ReceivedPart {
  /** From 1. */
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** 64 hex digits. */
  readonly sha256: string
}

export type UploadStateName = 'open' | 'verifying' | 'committed' | 'failed'

/** An upload: an unfinished way to an entry, found by ref and digest. */
export interface Upload {
  readonly ref: ArtifactRef
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly mode: UploadMode
  readonly state: UploadStateName
  /** RFC 3339. */
  readonly expiresAt: string
  /** What has arrived, while it is open: in single mode all or nothing, in multipart mode these parts. */
  readonly received: boolean | readonly ReceivedPart[]
  /** How far the verification has got, in bytes. */
  readonly verifiedBytes: number
  /** Once it is committed. */
  readonly entry: Entry | undefined
  /** Why it failed. */
  readonly problem: BucketError | undefined
}

/** An upload as the one who sends its bytes sees it. */
export interface BegunUpload extends Upload {
  /** The request that stores the bytes, in single mode while they are expected. */
  readonly request: Presigned | undefined
}

/** @throws NetworkError `unexpected_response` when it is not an upload of this reference and digest. */
export function decodeUpload(value: JsonObject, ref: ArtifactRef, digest: Digest): BegunUpload {
  const { bucket_id, artifact_id, version, mode, state, expires_at: expiresAt } = value
  const isNamed = bucket_id === ref.bucketId && artifact_id === ref.artifactId && version === ref.version
  if (!isNamed || decodeDigest(value.digest) !== digest)
    throw unexpectedResponse(`no upload of ${digest} to ${formatRef(ref)}`)
  if (mode !== 'single' && mode !== 'multipart') throw unexpectedResponse('an upload of no known mode')
  if (!isState(state) || typeof expiresAt !== 'string')
    throw unexpectedResponse('an upload of no known state')
  const size = decodeByteCount(value.size, 'size')
  if (value.part_size != null && value.part_size !== partSize(size))
    throw unexpectedResponse(`parts of ${value.part_size} bytes for an upload of ${size}`)
  return {
    ref,
    digest,
    size,
    mode,
    state,
    expiresAt,
    received: decodeReceived(value.received, mode),
    verifiedBytes: value.verified_bytes == null ? 0 : decodeByteCount(value.verified_bytes, 'verified_bytes'),
    entry: value.entry == null ? undefined : decodeEntryOf(ref, digest, value.entry),
    problem: state === 'failed' ? decodeFailure(value.problem) : undefined,
    request: value.request == null ? undefined : decodePresigned(value.request),
  }
}

const isState = (text: unknown): text is UploadStateName =>
  text === 'open' || text === 'verifying' || text === 'committed' || text === 'failed'

function decodeReceived(value: unknown, mode: UploadMode): boolean | readonly ReceivedPart[] {
  if (mode === 'single') return value === true
  if (value == null) return []
  if (!Array.isArray(value)) throw unexpectedResponse('no list of received parts')
  return value.map((part) => {
    if (!isObject(part) || typeof part.sha256 !== 'string') throw unexpectedResponse('a part without sha256')
    return {
      number: decodeByteCount(part.number, 'number'),
      size: decodeByteCount(part.size, 'size'),
      sha256: part.sha256,
    }
  })
}

/** Why it failed; an unknown problem can be tried again. */
function decodeFailure(problem: unknown): BucketError {
  const told = isObject(problem) ? decodeProblem(problem) : undefined
  return told ?? BucketError.unavailable('the upload failed, and the server does not say why')
}

/** @throws NetworkError `unexpected_response` when it is not a request to store bytes (docs/http-api.md, section 7.1). */
export function decodePresigned(value: unknown): Presigned {
  if (!isObject(value) || typeof value.url !== 'string' || value.method !== 'PUT')
    throw unexpectedResponse('no presigned request')
  const headers = isObject(value.headers) ? value.headers : {}
  return {
    method: value.method,
    url: value.url,
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
  }
}

export interface UploadId {
  readonly ref: ArtifactRef
  readonly digest: Digest
}

export interface UploadTerms {
  /** Bytes. */
  readonly size: number
  readonly contentType: string | undefined
  readonly uploadedBy: string | undefined
  readonly provenanceSource: string | undefined
}

const withJson = (api: ApiClient, value: unknown): Pick<ApiRequest, 'headers' | 'body'> => {
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  const hash = api.platform.sha256()
  hash.update(bytes)
  return {
    headers: { 'content-type': 'application/json' },
    body: { source: bytesSource(bytes), sha256: hash.hex() },
  }
}

/** Begins an upload or finds it again; the service chooses how it is sent. */
export async function beginUpload(
  api: ApiClient,
  { ref, digest }: UploadId,
  { size, contentType, uploadedBy, provenanceSource }: UploadTerms,
  signal: AbortSignal | undefined,
): Promise<BegunUpload> {
  const answer = await api.json({
    method: 'PUT',
    path: uploadPath(ref, digest),
    ...withJson(api, {
      size,
      content_type: contentType,
      uploaded_by: uploadedBy,
      provenance_source: provenanceSource,
    }),
    accept: [200, 201],
    signal,
  })
  return decodeUpload(answer, ref, digest)
}

/** @throws BucketError `upload_not_found`. */
export async function uploadState(
  api: ApiClient,
  id: UploadId,
  signal: AbortSignal | undefined,
): Promise<Upload> {
  return await retrying(api, signal, () => lookAtUpload(api, id, signal))
}

/** One attempt of the same. */
async function lookAtUpload(
  api: ApiClient,
  { ref, digest }: UploadId,
  signal: AbortSignal | undefined,
): Promise<Upload> {
  const path = uploadPath(ref, digest)
  const response = await api.attempt({ method: 'GET', path, accept: [200], signal })
  const { request: _, ...upload } = decodeUpload(await readJson(response, api.timeouts), ref, digest)
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
  parts: readonly { readonly number: number; readonly sha256: string }[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, Presigned>> {
  const answer = await api.json({
    method: 'POST',
    path: uploadPartsPath(ref, digest),
    ...withJson(api, { parts }),
    accept: [200],
    signal,
  })
  const given: readonly unknown[] = Array.isArray(answer.parts) ? answer.parts : []
  const requests = new Map(
    given.map((part) => {
      const { number, request } = part as { number?: unknown; request?: unknown }
      return [Number(number), decodePresigned(request)]
    }),
  )
  if (parts.some(({ number }) => !requests.has(number))) throw unexpectedResponse('no request for every part')
  return requests
}

export type CommitAnswer =
  | { readonly entry: Entry; readonly created: boolean }
  /** The bytes are being verified: look at the upload after this many milliseconds. */
  | { readonly lookAfterMs: number | undefined }
  /** It has failed, by this, and no further commit changes that. */
  | { readonly problem: BucketError }

/** @throws BucketError `upload_incomplete`, `upload_not_found`, `version_exists`, `digest_mismatch`, `unavailable`. */
export async function commitUpload(
  api: ApiClient,
  id: UploadId,
  signal: AbortSignal | undefined,
): Promise<CommitAnswer> {
  const path = commitPath(id.ref, id.digest)
  let isRepeated = false
  return await retrying(api, signal, async () => {
    try {
      const response = await api.attempt({ method: 'POST', path, accept: [200, 201, 202], signal })
      if (response.status === 202) {
        response.discard()
        const seconds = readRetryAfter(response.headers.get('retry-after'))
        return { lookAfterMs: seconds === undefined ? undefined : seconds * 1000 }
      }
      const entry = decodeEntryOf(id.ref, id.digest, await readJson(response, api.timeouts))
      // A commit whose answer was lost may well have been the one.
      return { entry, created: response.status === 201 || isRepeated }
    } catch (error) {
      isRepeated ||= isRetryable(error)
      if (!isBucketError(error, 'unavailable')) throw error
      // An upload that failed for want of a store answers every commit like a service that is down for a moment. Only
      // its state tells them apart; where that cannot be seen either, the service is down.
      const upload = await lookAtUpload(api, id, signal).catch(() => undefined)
      signal?.throwIfAborted()
      if (upload?.problem === undefined) throw error
      return { problem: upload.problem }
    }
  })
}
