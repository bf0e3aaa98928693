/**
 * The blob endpoint takes the place of S3 in the local form: it answers presigned requests on `/blobs/…` and `/parts/…`. It uses no ledger
 * and authenticates no caller. A request whose signature does not cover it exactly is refused before its body is requested.
 */
import { wholeRange } from '../domain/byte-range.ts'
import { describeWith } from '../domain/description.ts'
import type { BlobId } from '../domain/entry.ts'
import { BucketError, type ErrorCode } from '../domain/errors.ts'
import { ERROR_STATUS } from '../protocol/errors.ts'
import { ARTIFACT_CACHE_CONTROL, contentDisposition } from '../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import { parseRange } from '../protocol/range.ts'
import type { BlobStore, Clock } from '../repository/ports.ts'
import type { FolderStaging } from './folder-staging.ts'
import {
  BLOB_ROOT,
  PART_ROOT,
  type PartId,
  parseBlobPath,
  parsePartPath,
  type SignedGet,
  type SignedPut,
  signedBytes,
  verifyBlobPut,
  verifyGet,
  verifyPartPut,
} from './presigned.ts'

type PartReceiver = Pick<FolderStaging, 'receive' | 'uploadOf'>

export interface BlobEndpointOptions {
  readonly blobs: BlobStore
  readonly staging: PartReceiver
  /** The secret that signed the requests. */
  readonly secret: Uint8Array
  readonly clock: Clock
}

/** The facts for the operation log, filled in while the request is handled. */
export interface BlobRequestNotes {
  bucketId?: string
  artifactId?: string
  version?: string
  digest?: string
  /** Bytes. */
  size?: number
  aborted?: true
  /** For the operator only. */
  error?: string
}

/** @returns undefined for a path that isn't its own. The promise never rejects. */
export type BlobEndpoint = (
  request: HttpRequest,
  notes?: BlobRequestNotes,
) => Promise<HttpResponse> | undefined

/** The endpoint's own error codes, as S3 has its own (docs/http-api.md, sections 5 and 7.1). */
const FAILURES = {
  access_denied: [
    403,
    'the request is not signed for this, was changed, or has expired: ask for a fresh one',
  ],
  bad_digest: [400, 'these are not the bytes of the digest'],
  no_such_key: [404, 'the stored bytes are lost: storing the same bytes again restores them'],
  no_such_upload: [404, 'this upload accepts no more parts'],
  method_not_allowed: [405, 'a presigned request is sent with its own method'],
  // S3 has 400 for it, which would say here that the bytes are wrong.
  request_timeout: [ERROR_STATUS.request_timeout, 'the body arrives too slowly: send the request again'],
  operation_aborted: [409, 'another sender is at this part: send the request again'],
  precondition_failed: [412, 'the bytes are there already'],
  invalid_range: [416, 'the range begins after the last byte'],
  internal_error: [500, 'the request failed for a reason that is in the log: send it again'],
  slow_down: [503, 'the request cannot be answered now: send it again'],
  insufficient_storage: [507, 'the disk is full: free space, then send the request again'],
} as const
type Failure = keyof typeof FAILURES

/** The endpoint's code for a failure of the store. */
const FAILURE_OF: { readonly [C in ErrorCode]?: Failure } = {
  digest_mismatch: 'bad_digest',
  invalid_request: 'bad_digest',
  request_timeout: 'request_timeout',
  blob_lost: 'no_such_key',
  unavailable: 'slow_down',
  insufficient_storage: 'insufficient_storage',
}

const guards = { 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': 'sandbox' }

function failure(code: Failure, headers: Record<string, string> = {}): HttpResponse {
  const [status, message] = FAILURES[code]
  const body = JSON.stringify({ code, message })
  const length = String(Buffer.byteLength(body))
  const all = { ...guards, 'Cache-Control': 'no-store', 'Content-Type': 'application/json', ...headers }
  return { status, headers: { ...all, 'Content-Length': length }, body }
}

const stored = (): HttpResponse => ({
  status: 200,
  headers: { ...guards, 'Cache-Control': 'no-store', 'Content-Length': '0' },
  body: null,
})

/** @returns a handler that answers every path below `/blobs/` and `/parts/`, and nothing else. */
export function createBlobEndpoint({ blobs, staging, secret, clock }: BlobEndpointOptions): BlobEndpoint {
  async function answerBlob(
    request: HttpRequest,
    path: string,
    query: URLSearchParams,
    notes: BlobRequestNotes,
  ) {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD' && method !== 'PUT')
      return failure('method_not_allowed', { Allow: 'GET, HEAD, PUT' })
    const blob = parseBlobPath(path)
    if (!blob) return failure('access_denied')
    note(notes, blob)
    if (method === 'PUT') {
      const signed = verifyBlobPut(secret, blob, query, request.headers, clock())
      return signed ? take(blobs, blob, signed, request, notes) : failure('access_denied')
    }
    const signed = verifyGet(secret, blob, query, clock())
    return signed ? give(blobs, blob, signed, request) : failure('access_denied')
  }

  async function answerPart(
    request: HttpRequest,
    path: string,
    query: URLSearchParams,
    notes: BlobRequestNotes,
  ) {
    if (request.method !== 'PUT') return failure('method_not_allowed', { Allow: 'PUT' })
    const part = parsePartPath(path)
    const signed = part && verifyPartPut(secret, part, query, request.headers, clock())
    return signed ? takePart(staging, part, signed, request, notes) : failure('access_denied')
  }

  return (request, notes = {}) => {
    const [path = '', query = ''] = request.target.split(/\?(.*)/s)
    const answer = path.startsWith(BLOB_ROOT)
      ? answerBlob
      : path.startsWith(PART_ROOT)
        ? answerPart
        : undefined
    return answer?.(request, path, new URLSearchParams(query), notes)
      .catch((error: unknown) => explain(error, request, notes))
      .then((response) => (request.method === 'HEAD' ? { ...response, body: null } : response))
  }
}

async function give(
  blobs: BlobStore,
  blob: BlobId,
  signed: SignedGet,
  request: HttpRequest,
): Promise<HttpResponse> {
  const { size } = signed
  // A validator that is not ours never matches, so all bytes are sent (RFC 9110, section 13.1.5).
  const asked = request.headers.get('If-Range') === null ? request.headers.get('Range') : null
  const range = parseRange(asked, size)
  if (range === 'unsatisfiable') return failure('invalid_range', { 'Content-Range': `bytes */${size}` })
  const headers: Record<string, string> = {
    ...guards,
    'Content-Type': signed.contentType,
    'Content-Length': String(range ? range.last - range.first + 1 : size),
    'Content-Disposition': contentDisposition(blob.ref),
    'Cache-Control': ARTIFACT_CACHE_CONTROL,
    'Accept-Ranges': 'bytes',
  }
  if (range) headers['Content-Range'] = `bytes ${range.first}-${range.last}/${size}`
  const status = range ? 206 : 200
  if (request.method === 'HEAD') return { status, headers, body: null }
  // A range is used even for all bytes, so that a file that lost bytes is detected before the first byte is sent.
  const body = await blobs.read(blob, range ?? wholeRange(size), request.signal)
  return { status, headers, body }
}

/** The bytes of a single upload: create-only, but verified bytes replace an unattested blob. */
async function take(
  blobs: BlobStore,
  blob: BlobId,
  signed: SignedPut,
  request: HttpRequest,
  notes: BlobRequestNotes,
): Promise<HttpResponse> {
  const { size } = signed
  notes.size = size
  const state = await blobs.inspect(blob)
  if (state.found && state.attested && state.size === size) return failure('precondition_failed')
  const bytes = signedBytes(request.body(), signed)
  await blobs.write(blob, bytes, { size, description: describeWith(() => null), signal: request.signal })
  await blobs.inspect(blob) // no entry follows that would put a small blob on disk
  return stored()
}

async function takePart(
  staging: PartReceiver,
  part: PartId,
  signed: SignedPut,
  request: HttpRequest,
  notes: BlobRequestNotes,
): Promise<HttpResponse> {
  note(notes, staging.uploadOf(part))
  notes.size = signed.size
  switch (await staging.receive(part, signed, request.body, request.signal)) {
    case 'received':
      return stored()
    case 'busy':
      return failure('operation_aborted')
    case 'gone':
      return failure('no_such_upload')
  }
}

function note(notes: BlobRequestNotes, blob: BlobId | undefined): void {
  if (!blob) return
  Object.assign(notes, blob.ref, { digest: blob.digest } satisfies BlobRequestNotes)
}

function explain(error: unknown, request: HttpRequest, notes: BlobRequestNotes): HttpResponse {
  const refusal: BucketError | undefined = error instanceof BucketError ? error : undefined
  const known = refusal && FAILURE_OF[refusal.code]
  if (request.signal?.aborted) notes.aborted = true
  else if (!known || FAILURES[known][0] >= 500 || known === 'no_such_key') notes.error = reasonOf(error)
  const code = known ?? (request.signal?.aborted ? 'request_timeout' : 'internal_error')
  return failure(code, code === 'slow_down' ? { 'Retry-After': '1' } : {})
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (!(error instanceof BucketError)) return error.stack ?? error.message
  return error.cause instanceof Error ? error.cause.message : error.message
}
