/**
 * The blob endpoint: stands where S3 stands, and answers presigned requests on `/blobs/…` with the bytes.
 * It knows no ledger and no caller: what is not signed for exactly this request is refused.
 */
import { BucketError } from '#protocol/errors'
import type { BlobId, BlobStore, ByteRange, Clock } from '#repository/ports'
import { BLOB_ROOT, parseBlobPath, type SignedGet, verifyGet } from './presigned.ts'

export interface BlobEndpointOptions {
  readonly blobs: BlobStore
  /** The secret that signed the requests. */
  readonly secret: Uint8Array
  readonly clock: Clock
}

/** @param info `rawPath` is the path as it was sent, before anything decoded or normalised it. */
export type BlobEndpoint = (
  request: Request,
  info: { readonly rawPath: string },
) => Promise<Response> | undefined

/** The endpoint's own errors, as S3's are its own (docs/http-api.md, section 5). */
const FAILURES = {
  access_denied: [
    403,
    'the request is not signed for this, was changed, or has expired: ask for a fresh one',
  ],
  method_not_allowed: [405, 'a presigned request is sent with its own method'],
  invalid_range: [416, 'the range begins behind the last byte'],
  slow_down: [503, 'the bytes cannot be read now: send the request again'],
} as const

const guards = { 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': 'sandbox' }

function failure(code: keyof typeof FAILURES, headers: Record<string, string> = {}): Response {
  const [status, message] = FAILURES[code]
  return Response.json(
    { code, message },
    { status, headers: { ...guards, 'Cache-Control': 'no-store', ...headers } },
  )
}

/** @returns a handler that answers every path below `/blobs/`, and nothing else. */
export function createBlobEndpoint({ blobs, secret, clock }: BlobEndpointOptions): BlobEndpoint {
  async function answer(request: Request, rawPath: string): Promise<Response> {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') return failure('method_not_allowed', { Allow: 'GET, HEAD' })
    const blob = parseBlobPath(rawPath)
    const signed = blob && verifyGet(secret, blob, new URL(request.url).searchParams, clock())
    return blob && signed ? give(blobs, blob, signed, request) : failure('access_denied')
  }
  return (request, { rawPath }) => (rawPath.startsWith(BLOB_ROOT) ? answer(request, rawPath) : undefined)
}

async function give(blobs: BlobStore, blob: BlobId, signed: SignedGet, request: Request): Promise<Response> {
  const { size } = signed
  // A validator that is not ours never matches: then the whole is sent (RFC 9110, section 13.1.5).
  const asked = request.headers.has('If-Range') ? null : request.headers.get('Range')
  const range = parseRange(asked, size)
  if (range === 'unsatisfiable') return failure('invalid_range', { 'Content-Range': `bytes */${size}` })
  const { first, last } = range ?? { first: 0, last: size - 1 }
  const headers = new Headers({
    ...guards,
    'Content-Type': signed.contentType,
    'Content-Length': String(last - first + 1),
    'Content-Disposition': `attachment; filename="${blob.ref.artifactId}-${blob.ref.version}"`,
    'Cache-Control': 'private, max-age=31536000, immutable',
    'Accept-Ranges': 'bytes',
  })
  if (range) headers.set('Content-Range', `bytes ${first}-${last}/${size}`)
  const status = range ? 206 : 200
  if (request.method === 'HEAD') return new Response(null, { status, headers })
  try {
    // A range also for the whole: a file that lost bytes is then noticed before the first is sent.
    const bytes = await blobs.read(blob, size === 0 ? undefined : { first, last }, request.signal)
    return new Response(streamOf(bytes), { status, headers })
  } catch (error) {
    if (error instanceof BucketError) return failure('slow_down', { 'Retry-After': '1' })
    throw error
  }
}

function streamOf(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]()
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** One range of RFC 9110, section 14.1.2; any other form is ignored, as the section allows. */
function parseRange(field: string | null, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(field?.replace(/\s/g, '') ?? '') ?? []
  if (from === undefined || to === undefined || from + to === '') return undefined
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first > last ? 'unsatisfiable' : { first, last }
}
