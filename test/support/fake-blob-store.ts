/**
 * A blob store in memory that keeps the port's promises: create-only, bytes visible only after the stream ended, presigned
 * requests that it checks itself. It hashes the bytes itself, so that it catches a rule that writes unverified bytes.
 */
import { digestBase64 } from '../../lib/domain/digest.ts'
import type { BlobId } from '../../lib/domain/entry.ts'
import { BucketError } from '../../lib/domain/errors.ts'
import { formatPinnedRef } from '../../lib/domain/identifiers.ts'
import type { PresignedRequest } from '../../lib/domain/upload.ts'
import { abortableIterable } from '../../lib/flow/abortable-iterable.ts'
import type { BlobStore, Clock } from '../../lib/repository/ports.ts'
import { digestOf, pieces } from './fake-artifacts.ts'

export interface FakeBlobStore extends BlobStore {
  /** Puts bytes under a final name without the port: they may be wrong, and have no attestation. */
  plant(blob: BlobId, bytes: Uint8Array): void
  /** Loses a blob, as a disk or an operator may. */
  lose(blob: BlobId): void
  /** Sends a presigned request as a client would. */
  send(request: PresignedRequest, options?: SendOptions): Promise<Response>
  /** The number of blobs under final names. */
  readonly count: number
}

export interface SendOptions {
  /** Added to the request's own headers. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

interface StoredBlob {
  readonly bytes: Uint8Array
  readonly attested: boolean
}

/** The signed request as it was returned, and its purpose. */
interface Signed {
  readonly request: PresignedRequest
  readonly blob: BlobId
  readonly contentType: string
}

export interface FakeBlobStoreOptions {
  readonly clock?: Clock
  /** Where presigned requests lead. */
  readonly origin?: string
}

export function fakeBlobStore({
  clock = Date.now,
  origin = 'https://blobs.test',
}: FakeBlobStoreOptions = {}): FakeBlobStore {
  const stored = new Map<string, StoredBlob>()
  const signed = new Map<string, Signed>()

  function find(blob: BlobId): StoredBlob {
    const found = stored.get(formatPinnedRef(blob))
    if (!found) throw BucketError.blobLost(`the blob ${formatPinnedRef(blob)} is missing`, 'it was lost')
    return found
  }

  function presign(method: 'GET' | 'PUT', blob: BlobId, seconds: number, contentType: string, size?: number) {
    const expiresAt = new Date(clock() + seconds * 1000).toISOString()
    const url = `${origin}/${encodeURIComponent(formatPinnedRef(blob))}?signature=${signed.size}`
    const headers: Record<string, string> =
      size === undefined
        ? {}
        : {
            'content-length': String(size),
            'content-type': contentType,
            'if-none-match': '*',
            'x-amz-checksum-sha256': digestBase64(blob.digest),
          }
    const request = { method, url, headers, expiresAt }
    signed.set(url, { request, blob, contentType })
    return request
  }

  function receive({ request, blob }: Signed, body: Uint8Array): number {
    if (body.byteLength !== Number(request.headers['content-length'])) return 403
    if (digestOf(body) !== blob.digest) return 400
    if (stored.has(formatPinnedRef(blob))) return 412
    stored.set(formatPinnedRef(blob), { bytes: body.slice(), attested: true })
    return 200
  }

  return {
    async write(blob, bytes, { signal }) {
      const body = await drain(bytes, signal)
      if (digestOf(body) !== blob.digest)
        throw new Error(
          `the stream of ${formatPinnedRef(blob)} ended normally with other bytes: it was not verified`,
        )
      if (stored.has(formatPinnedRef(blob))) return 'exists'
      stored.set(formatPinnedRef(blob), { bytes: body, attested: true })
      return 'written'
    },

    async inspect(blob) {
      const found = stored.get(formatPinnedRef(blob))
      return found
        ? { found: true, size: found.bytes.byteLength, attested: found.attested }
        : { found: false }
    },

    async read(blob, range, signal) {
      signal?.throwIfAborted()
      const { bytes } = find(blob)
      const end = range === undefined ? bytes.byteLength : range.last + 1
      if (end > bytes.byteLength)
        throw BucketError.blobLost(`the blob ${formatPinnedRef(blob)} is too short`, 'it was cut')
      return pieces(bytes.slice(range?.first ?? 0, end), signal)
    },

    presignGet: async (entry, seconds) => presign('GET', entry, seconds, entry.contentType),
    presignPut: async (blob, size, { contentType }, seconds) =>
      presign('PUT', blob, seconds, contentType, size),
    check: async () => undefined,

    plant: (blob, bytes) => void stored.set(formatPinnedRef(blob), { bytes: bytes.slice(), attested: false }),

    lose: (blob) => void stored.delete(formatPinnedRef(blob)),

    async send(request, { headers = {}, body } = {}) {
      const known = signed.get(request.url)
      const genuine =
        known?.request.method === request.method &&
        Object.entries(known.request.headers).every(([field, value]) => request.headers[field] === value)
      if (!known || !genuine || clock() >= Date.parse(known.request.expiresAt))
        return new Response(null, { status: 403 })
      return request.method === 'PUT'
        ? new Response(null, { status: receive(known, body ?? new Uint8Array()) })
        : give(
            known,
            stored.get(formatPinnedRef(known.blob))?.bytes,
            new Headers({ ...headers }).get('range'),
          )
    },

    get count() {
      return stored.size
    },
  }
}

/** Collects a stream, or stops when the signal aborts, also while the stream hangs. */
async function drain(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<Uint8Array> {
  signal?.throwIfAborted()
  const chunks: Uint8Array[] = []
  for await (const chunk of abortableIterable(bytes, signal)) chunks.push(chunk.slice())
  return Buffer.concat(chunks)
}

function give({ blob, contentType }: Signed, bytes: Uint8Array | undefined, range: string | null): Response {
  if (!bytes) return new Response(null, { status: 404 })
  const headers = {
    'content-type': contentType,
    'content-disposition': `attachment; filename="${blob.ref.artifactId}-${blob.ref.version}"`,
    'cache-control': 'private, max-age=31536000, immutable',
  }
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (from === undefined)
    return new Response(bytes.slice(), {
      headers: { ...headers, 'content-length': String(bytes.byteLength) },
    })
  const first = Number(from)
  const last = Math.min(to === '' ? Number.POSITIVE_INFINITY : Number(to), bytes.byteLength - 1)
  if (first > last)
    return new Response(null, { status: 416, headers: { 'content-range': `bytes */${bytes.byteLength}` } })
  return new Response(bytes.slice(first, last + 1), {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(last + 1 - first),
      'content-range': `bytes ${first}-${last}/${bytes.byteLength}`,
    },
  })
}
