/**
 * Uploads of the played front (docs/http-api.md, section 7), and the store that its presigned requests lead to. As S3, the
 * store checks length and SHA-256, and refuses what was not signed; what arrived is kept, so that tests can see it.
 */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { hexToBase64 } from '../../../lib/domain/digest.ts'
import { partCount, partSize, sizeOfPart, type UploadMode } from '../../../lib/domain/limits.ts'
import { type PlayedFront, sendJson, sendProblem } from './played-front.ts'

export interface PlayedUpload {
  readonly ref: string
  readonly digest: string
  readonly size: number
  readonly mode: UploadMode
  state: 'open' | 'verifying' | 'committed' | 'failed'
  verified: number
  problem: Record<string, unknown> | undefined
  /** By part number; 1 is all of a single upload. */
  readonly received: Map<number, Buffer>
}

/** A body that came to the store with a request of its own. */
export interface Sent {
  readonly number: number
  readonly headers: IncomingHttpHeaders
}

type StoreHandler = (
  number: number,
  request: IncomingMessage,
  response: ServerResponse,
) => boolean | Promise<boolean>

export interface PlayedUploads {
  /** The mode that the service chooses; single if omitted. */
  mode: UploadMode
  readonly all: Map<string, PlayedUpload>
  /** The upload that was begun last. */
  readonly latest: PlayedUpload
  /** Requests that came to the store, and those of them that it acknowledged with 2xx. */
  readonly sent: Sent[]
  readonly acknowledged: number[]
  /** How many part numbers each request for parts named. */
  readonly batches: number[]
  commits: number
  /** Asked before the store answers; true means that it answered. */
  misbehave: StoreHandler | undefined
  /** Whether a verification comes to an end. */
  verifies: boolean
  /** @returns whether the request was about an upload or for the store. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>
  /** Makes the upload of this ref what it became in the end. */
  finish(upload: PlayedUpload): void
}

const UPLOAD =
  /^\/v1\/buckets\/([^/]+)\/artifacts\/([^/]+)\/versions\/([^/]+)\/uploads\/([^/]+?)(?:\/(parts|commit))?$/

export const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export function playUploads(front: PlayedFront): PlayedUploads {
  const all = new Map<string, PlayedUpload>()
  const played: PlayedUploads = {
    mode: 'single',
    all,
    get latest() {
      const upload = [...all.values()].at(-1)
      if (!upload) throw new Error('nothing was begun')
      return upload
    },
    sent: [],
    acknowledged: [],
    batches: [],
    commits: 0,
    misbehave: undefined,
    verifies: true,
    async serve(request, response) {
      const path = new URL(request.url ?? '', front.origin).pathname
      if (path.startsWith('/store/')) {
        await store(path, request, response)
        return true
      }
      const [, bucket = '', artifact = '', version = '', digest, resource] = UPLOAD.exec(path) ?? []
      if (digest === undefined) return false
      const ref = [bucket, artifact, version].map(decodeURIComponent).join('/')
      await about(ref, decodeURIComponent(digest), resource, request, response)
      return true
    },
    finish(upload) {
      upload.state = 'committed'
      const parts = [...upload.received].sort(([one], [other]) => one - other)
      front.put(upload.ref, Buffer.concat(parts.map(([, bytes]) => bytes)))
    },
  }

  async function about(
    ref: string,
    digest: string,
    resource: string | undefined,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    const key = `${ref}@${digest}`
    const upload = all.get(key)
    const stored = front.stored.get(ref)
    if (stored && (resource === 'commit' || request.method === 'PUT')) {
      if (resource === 'commit' && stored.entry.digest === digest)
        return sendJson(response, 200, stored.entry)
      return sendProblem(response, 'version_exists', {
        conflict: stored.entry.digest === digest ? 'identical' : 'different',
        declared_digest: digest,
        stored: stored.entry,
      })
    }
    if (request.method === 'PUT') {
      const { size } = JSON.parse(await bodyOf(request))
      const live = upload && upload.state !== 'failed' ? upload : begin(ref, digest, size)
      all.set(key, live)
      if (live.size !== size) return sendProblem(response, 'upload_conflict', { upload: message(live) })
      return sendJson(response, live === upload ? 200 : 201, message(live, true))
    }
    if (!upload) return sendProblem(response, 'upload_not_found')
    if (request.method === 'GET') {
      if (upload.state === 'verifying' && played.verifies) {
        if (upload.verified === 0) upload.verified = Math.floor(upload.size / 2)
        else played.finish(upload)
      }
      return sendJson(response, 200, message(upload))
    }
    if (request.method === 'DELETE') {
      if (upload.state !== 'open')
        return sendProblem(response, 'upload_conflict', { upload: message(upload) })
      all.delete(key)
      response.writeHead(204).end()
      return
    }
    if (resource === 'parts') return parts(upload, request, response)
    return commit(upload, response)
  }

  const begin = (ref: string, digest: string, size: number): PlayedUpload => ({
    ref,
    digest,
    size,
    mode: played.mode,
    state: 'open',
    verified: 0,
    problem: undefined,
    received: new Map(),
  })

  function message(upload: PlayedUpload, isBegun = false) {
    const { ref, digest, size, mode, state, problem, received, verified } = upload
    const [bucket_id, artifact_id, version] = ref.split('/')
    const there = [...received].map(([number, bytes]) => ({
      number,
      size: bytes.byteLength,
      sha256: sha256Hex(bytes),
    }))
    return {
      ...{ bucket_id, artifact_id, version, digest, size, mode, state, problem },
      content_type: 'application/octet-stream',
      uploaded_by: null,
      provenance_source: null,
      expires_at: '2026-11-30T04:00:00.000Z',
      ...(mode === 'multipart' && { part_size: partSize(size), part_count: partCount(size) }),
      ...(state === 'open' && { received: mode === 'single' ? there.length > 0 : there }),
      ...(state === 'verifying' && { verified_bytes: verified }),
      ...(state === 'committed' && { entry: front.stored.get(ref)?.entry }),
      ...(isBegun &&
        mode === 'single' &&
        state === 'open' && { request: presigned(upload, 1, digest.slice('sha256:'.length)) }),
    }
  }

  function presigned({ ref, digest, size, mode }: PlayedUpload, number: number, sha256: string) {
    const length = mode === 'single' ? size : sizeOfPart(size, number)
    const query = new URLSearchParams({ ref, digest, sha256, length: String(length) })
    return {
      method: 'PUT',
      url: `${front.origin}/store/${number}?${query}`,
      headers: { 'content-length': String(length), 'x-amz-checksum-sha256': hexToBase64(sha256) },
      expires_at: '2026-11-23T05:00:00.000Z',
    }
  }

  async function parts(upload: PlayedUpload, request: IncomingMessage, response: ServerResponse) {
    const { parts: asked } = JSON.parse(await bodyOf(request)) as {
      parts: { number: number; sha256: string }[]
    }
    if (upload.state !== 'open') return sendProblem(response, 'upload_conflict', { upload: message(upload) })
    played.batches.push(asked.length)
    const requests = asked.map(({ number, sha256 }) => ({
      number,
      request: presigned(upload, number, sha256),
    }))
    sendJson(response, 200, { parts: requests.reverse() })
  }

  function commit(upload: PlayedUpload, response: ServerResponse) {
    played.commits += 1
    if (upload.state === 'open') {
      const count = upload.mode === 'single' ? 1 : partCount(upload.size)
      const missing = Array.from({ length: count }, (_, at) => at + 1).filter((n) => !upload.received.has(n))
      if (missing.length > 0) return sendProblem(response, 'upload_incomplete', { received: [], missing })
      if (upload.mode === 'single') {
        played.finish(upload)
        return sendJson(response, 201, front.stored.get(upload.ref)?.entry)
      }
      upload.state = 'verifying'
    }
    if (upload.state === 'failed') return sendProblem(response, 'unavailable', {}, { 'retry-after': '0' })
    sendJson(response, 202, message(upload), { 'retry-after': '0' })
  }

  async function store(path: string, request: IncomingMessage, response: ServerResponse) {
    const number = Number(path.slice('/store/'.length))
    const query = new URL(request.url ?? '', front.origin).searchParams
    played.sent.push({ number, headers: request.headers })
    if (await played.misbehave?.(number, request, response)) return
    const answer = (status: number) => {
      response.writeHead(status)
      response.end('<Error/>')
    }
    const upload = all.get(`${query.get('ref')}@${query.get('digest')}`)
    if (upload?.state !== 'open') return answer(404)
    if (upload.mode === 'single' && upload.received.has(number)) return answer(412)
    const { headers } = request
    const sha256 = query.get('sha256') ?? ''
    const isAsSigned =
      headers['content-length'] === query.get('length') &&
      headers['x-amz-checksum-sha256'] === hexToBase64(sha256)
    if (!isAsSigned) return answer(403)
    if (headers.expect === '100-continue') response.writeContinue()
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    if (sha256Hex(bytes) !== sha256) return answer(400)
    upload.received.set(number, bytes)
    played.acknowledged.push(number)
    answer(200)
  }

  return played
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
