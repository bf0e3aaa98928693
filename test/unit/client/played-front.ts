/**
 * A front that plays the contract over a real loopback socket and can be told to misbehave: what a client meets on a bad day.
 * It keeps what it received, so that tests can see what was sent, and what was not.
 */

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { ERRORS, type ErrorCode } from '../../../lib/domain/errors.ts'
import { ENCODERS } from '../../../lib/protocol/encode.ts'
import { ERROR_STATUS } from '../../../lib/protocol/errors.ts'
import { type PlayedUploads, playUploads } from './played-uploads.ts'

export interface Stored {
  readonly bytes: Buffer
  readonly entry: Record<string, unknown>
}

export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

type Handler = (request: IncomingMessage, response: ServerResponse) => boolean | undefined | Promise<boolean>

export interface PlayedFront {
  /** The root of the API. */
  readonly url: string
  readonly origin: string
  readonly received: Received[]
  readonly stored: Map<string, Stored>
  /** Asked before the contract is played; true means that it answered. */
  misbehave: Handler | undefined
  /** The response to `GET /v1`. */
  limits: { max_artifact_bytes: number; max_inline_bytes: number }
  /** How many bodies were asked for with `100 Continue`. */
  continued: number
  /** Uploads, and the store that their requests lead to. */
  readonly uploads: PlayedUploads
  put(ref: string, bytes: Buffer): Stored
  close(): Promise<void>
}

/** Options of a client that waits and polls no longer than a test wants to. */
export const IMPATIENT = {
  retry: { baseMs: 1, attempts: 4 },
  timeouts: { idleMs: 500, continueMs: 200, pollMs: 1, verificationIdleMs: 5 },
}

export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

export const someBytes = (size: number) => randomBytes(size)

export function sendProblem(
  response: ServerResponse,
  code: ErrorCode,
  members: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): true {
  const { retryable, title, next } = ERRORS[code]
  const status = ERROR_STATUS[code]
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'x-request-id': 'r-1',
    ...headers,
  })
  response.end(
    JSON.stringify({
      type: `/v1/problems/${code}`,
      title,
      status,
      detail: `the played front says ${code}`,
      code,
      retryable,
      next,
      request_id: 'r-1',
      ...members,
    }),
  )
  return true
}

export const sendJson = (
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(value))
}

/** The service document of a server with these limits. */
export const serviceDocument = (limits: PlayedFront['limits']) =>
  ENCODERS.Service(
    { maxArtifactBytes: limits.max_artifact_bytes, maxInlineBytes: limits.max_inline_bytes },
    { requestId: 'r-1' },
  )

const VERSION = /^\/v1\/buckets\/([^/]+)\/artifacts\/([^/]+)\/versions(?:\/([^/]+)(?:\/(entry|download))?)?$/

/** @param root the path under which the API is mounted, before `/v1`. */
export async function playFront(root = ''): Promise<PlayedFront> {
  const stored = new Map<string, Stored>()
  const received: Received[] = []

  const server = createServer(serve)
  server.on('checkContinue', (request, response) => void serve(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`

  const front: PlayedFront = {
    url: `${origin}${root}/v1`,
    origin,
    received,
    stored,
    misbehave: undefined,
    limits: { max_artifact_bytes: 256 * 1024 * 1024, max_inline_bytes: 64 * 1024 * 1024 },
    continued: 0,
    get uploads() {
      return uploads
    },
    put(ref, bytes) {
      const [bucket_id, artifact_id, version] = ref.split('/')
      const entry = {
        bucket_id,
        artifact_id,
        version,
        digest: sha256(bytes),
        size: bytes.byteLength,
        content_type: 'application/octet-stream',
        uploaded_by: null,
        provenance_source: null,
        created_at: '2026-11-23T04:00:00.000Z',
      }
      const kept = { bytes, entry }
      stored.set(ref, kept)
      return kept
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const uploads = playUploads(front)

  async function serve(request: IncomingMessage, response: ServerResponse) {
    received.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    if (await front.misbehave?.(request, response)) return
    // A client that goes away in the middle is what some tests are about.
    await play(request, response).catch((error) => response.destroy(error))
  }

  async function play(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '', origin)
    const path = url.pathname.slice(root.length)
    if (path === '/v1') return sendJson(response, 200, serviceDocument(front.limits))
    if (await uploads.serve(request, response)) return
    const [, bucket, artifact, version, resource] = VERSION.exec(path) ?? []
    if (bucket === undefined || artifact === undefined) return sendProblem(response, 'route_not_found')
    const key = `${decodeURIComponent(bucket)}/${decodeURIComponent(artifact)}`
    if (version === undefined) return list(url, key, response)
    const ref = `${key}/${decodeURIComponent(version)}`
    if (request.method === 'PUT') return await store(request, ref, response)
    const found = stored.get(ref)
    if (!found) return sendProblem(response, 'version_not_found')
    const { digest, size } = found.entry
    const expected = url.searchParams.get('digest')
    if (expected !== null && expected !== digest)
      return sendProblem(response, 'digest_differs', { expected_digest: expected, stored_digest: digest })
    if (resource === 'entry') return sendJson(response, 200, found.entry)
    if (resource === 'download')
      return sendJson(response, 200, {
        method: 'GET',
        url: path.replace(/\/download$/, ''),
        headers: {},
        expires_at: '2026-11-23T04:00:00.000Z',
        digest,
        size,
      })
    sendBytes(request, response, found)
  }

  async function store(request: IncomingMessage, ref: string, response: ServerResponse) {
    const declared = request.headers['x-artifact-digest']
    const there = stored.get(ref)
    if (there)
      return sendProblem(response, 'version_exists', {
        conflict: there.entry.digest === declared ? 'identical' : 'different',
        declared_digest: declared,
        stored: there.entry,
      })
    if (request.headers.expect === '100-continue') {
      front.continued++
      response.writeContinue()
    }
    const bytes: Buffer[] = []
    for await (const chunk of request) bytes.push(chunk)
    const body = Buffer.concat(bytes)
    if (sha256(body) !== declared)
      return sendProblem(response, 'digest_mismatch', {
        declared_digest: declared,
        computed_digest: sha256(body),
      })
    const { entry } = front.put(ref, body)
    Object.assign(entry, {
      content_type: request.headers['content-type'],
      uploaded_by: request.headers['x-uploaded-by'] ?? null,
      provenance_source: request.headers['x-provenance-source'] ?? null,
    })
    sendJson(response, 201, entry)
  }

  /** Pages of two, and an empty one in the middle, as the contract allows. */
  function list(url: URL, key: string, response: ServerResponse) {
    const all = [...stored].filter(([ref]) => ref.startsWith(`${key}/`)).map(([, { entry }]) => entry)
    const cursor = url.searchParams.get('cursor') ?? '0'
    if (cursor === 'empty') return sendJson(response, 200, { versions: [], next_cursor: '2' })
    const at = Number(cursor)
    const next = at + 2 < all.length ? (at === 0 ? 'empty' : String(at + 2)) : null
    sendJson(response, 200, { versions: all.slice(at, at + 2), next_cursor: next })
  }

  return front
}

/** Gives the bytes as section 5 says, whole or a range of them. */
export function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, entry }: Stored,
): void {
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const from = Number(first)
  const end = last === '' ? bytes.byteLength : Number(last) + 1
  const ranged = request.headers.range !== undefined
  response.writeHead(ranged ? 206 : 200, {
    'content-length': end - from,
    'x-artifact-digest': String(entry.digest),
    'x-artifact-size': String(bytes.byteLength),
    etag: `"${String(entry.digest)}"`,
    ...(ranged && { 'content-range': `bytes ${from}-${end - 1}/${bytes.byteLength}` }),
  })
  response.end(bytes.subarray(from, end))
}

/** Reads a body to its end. */
export const readAll = (request: IncomingMessage): Promise<string> => text(request)
