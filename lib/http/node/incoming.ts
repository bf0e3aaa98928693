/** Turns a Node request into one of the API, and checks its sizes and framing first. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BucketError } from '../../domain/errors.ts'
import { KIB } from '../../domain/limits.ts'
import type { HttpRequest } from '../../protocol/http-message.ts'
import { invalidInputs } from '../../protocol/input-error.ts'

/** The longest request target and the largest headers, in bytes (docs/http-api.md, section 8). */
export const MAX_TARGET_BYTES = 8 * KIB
export const MAX_HEADER_BYTES = 16 * KIB

/**
 * @param body returns the bytes; called when the API requests them.
 * @param requestId of a request that has one already.
 */
export function apiRequest(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  publicUrl: URL | undefined,
  body: () => AsyncIterable<Uint8Array>,
  requestId: string = randomUUID(),
): HttpRequest {
  const { headers } = incoming
  const length = headers['content-length']
  const chunked = headers['transfer-encoding'] !== undefined
  const [host = ''] = hostsOf(incoming)
  let signal: AbortSignal | undefined
  return {
    method: incoming.method ?? 'GET',
    target: targetOf(incoming),
    headers: { get: (name) => headerValue(incoming, name) },
    size: length === undefined ? (chunked ? undefined : 0) : Number(length),
    body,
    requestId,
    // A proxy may send its own Host: with a public address, every URL starts with that address.
    origin: publicUrl?.origin ?? `http://${host}`,
    // Made on demand: most requests are complete before a client can disconnect.
    get signal() {
      signal ??= disconnection(outgoing)
      return signal
    },
  }
}

/** Aborts when the connection closes before the response was sent. */
function disconnection(outgoing: ServerResponse): AbortSignal {
  const aborted = new AbortController()
  const abortUnlessSent = () => {
    if (!outgoing.writableFinished) aborted.abort()
  }
  if (outgoing.destroyed) abortUnlessSent()
  else outgoing.once('close', abortUnlessSent)
  return aborted.signal
}

/** A request for input that Node's parser refused, with the method and the target if those were parsed. */
export const brokenRequest = (method = 'UNKNOWN', target = ''): HttpRequest => ({
  method,
  target,
  headers: { get: () => null },
  size: 0,
  body: async function* () {},
  requestId: randomUUID(),
  origin: '',
})

function headerValue(incoming: IncomingMessage, name: string): string | null {
  const values = incoming.headersDistinct[name.toLowerCase()]
  return values === undefined ? null : values.join(', ')
}

const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i

/** The path and query; in a target of absolute form, the part after the authority (RFC 9112, section 3.2.2). */
function targetOf(incoming: IncomingMessage): string {
  const target = (incoming.url ?? '').replace(ABSOLUTE_FORM, '')
  return target === '' ? '/' : target
}

/** The authority of an absolute target replaces the Host header (RFC 9112, section 3.2.2). */
export function hostsOf(incoming: IncomingMessage): readonly string[] {
  const [, authority] = ABSOLUTE_FORM.exec(incoming.url ?? '') ?? []
  return authority !== undefined ? [authority] : (incoming.headersDistinct.host ?? [])
}

/** @throws BucketError `uri_too_long`, `headers_too_large`. */
export function checkSizes(incoming: IncomingMessage): void {
  const target = incoming.url?.length ?? 0
  if (target > MAX_TARGET_BYTES)
    throw new BucketError(
      'uri_too_long',
      `the request target has ${target} bytes; the limit is ${MAX_TARGET_BYTES}`,
      {},
    )
  const headers = incoming.rawHeaders.reduce((bytes, text) => bytes + text.length + 2, 0)
  if (headers > MAX_HEADER_BYTES)
    throw new BucketError(
      'headers_too_large',
      `the headers have ${headers} bytes; the limit is ${MAX_HEADER_BYTES}`,
      {},
    )
}

/**
 * Node decodes only `chunked`: with any other transfer coding, other bytes arrive than the sender meant (RFC 9112, section 6.1).
 *
 * @throws BucketError `invalid_request`.
 */
export function checkFraming(incoming: IncomingMessage): void {
  const coding = incoming.headers['transfer-encoding']
  if (coding === undefined || (/^chunked$/i.test(coding) && incoming.httpVersion === '1.1')) return
  const detail = 'can only be chunked, of HTTP/1.1: send the bytes without another transfer coding'
  throw invalidInputs([{ in: 'header', name: 'Transfer-Encoding', detail }])
}
