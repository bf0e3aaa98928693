/**
 * HTTP requests exactly as written: the path is not normalised, headers keep their order and repetitions, the test chooses the
 * framing. One connection per request, so that no response depends on bytes that an earlier test left on a socket.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

export type HeaderLines = readonly (readonly [name: string, value: string])[]

export interface RawRequest {
  readonly method: string
  /** The request target exactly as on the request line. */
  readonly path: string
  /** A missing `Host` is added; all other headers except those of the framing are the test's. */
  readonly headers?: HeaderLines
  readonly body?: Uint8Array
  /** The framing of the body: `Content-Length` (the default) or chunked. */
  readonly framing?: 'length' | 'chunked'
}

export interface RawResponse {
  readonly status: number
  /** Values of one name are joined with a comma, as RFC 9110 allows. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** Time limit for a response: far above the expected time, so that only a hang ends here. */
const ANSWER_MS = 60_000

export const header = (response: RawResponse, name: string): string | undefined =>
  response.headers.get(name.toLowerCase())

/** Collects header lines into a response's headers. */
export function headerMap(lines: Iterable<readonly [string, string]>): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const [name, value] of lines) {
    const key = name.toLowerCase()
    const before = headers.get(key)
    headers.set(key, before === undefined ? value : `${before}, ${value}`)
  }
  return headers
}

/** The header lines for the length of the body, unless the request has its own. */
export function framingHeaders(request: RawRequest): HeaderLines {
  const given = new Set((request.headers ?? []).map(([name]) => name.toLowerCase()))
  if (request.framing === 'chunked') return [['Transfer-Encoding', 'chunked']]
  if (given.has('content-length')) return []
  if (request.body === undefined && !['PUT', 'POST', 'PATCH'].includes(request.method)) return []
  return [['Content-Length', String(request.body?.byteLength ?? 0)]]
}

/** Sends one request to `origin` (scheme and authority) and reads the whole answer. */
export function sendRaw(origin: URL, request: RawRequest): Promise<RawResponse> {
  const given = request.headers ?? []
  const host: HeaderLines = given.some(([name]) => name.toLowerCase() === 'host')
    ? []
    : [['Host', origin.host]]
  const lines = [...host, ...given, ...framingHeaders(request)]
  return new Promise((resolve, reject) => {
    const open = origin.protocol === 'https:' ? httpsRequest : httpRequest
    const outgoing = open({
      agent: false,
      hostname: origin.hostname.replace(/^\[|\]$/g, ''),
      port: origin.port === '' ? undefined : Number(origin.port),
      method: request.method,
      path: request.path,
      headers: lines.flat(),
      timeout: ANSWER_MS,
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${ANSWER_MS} ms`)))
    outgoing.on('response', (incoming) => readAnswer(incoming).then(resolve, reject))
    // A response that comes before the end of the body may break the rest of the sending: the response counts.
    outgoing.on('error', reject)
    outgoing.end(request.body)
  })
}

async function readAnswer(incoming: IncomingMessage): Promise<RawResponse> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk))
  const lines: [string, string][] = []
  for (let at = 0; at < incoming.rawHeaders.length; at += 2)
    lines.push([incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? ''])
  return { status: incoming.statusCode ?? 0, headers: headerMap(lines), body: Buffer.concat(chunks) }
}
