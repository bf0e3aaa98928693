/**
 * Requests that Node's parser gives up on never reach the API. Node would answer them with a bare status line; here they get the
 * same problem as any other, written to the socket by hand.
 */
import { STATUS_CODES } from 'node:http'
import { BucketError } from '../../domain/errors.ts'
import type { HttpResponse } from '../../protocol/http-message.ts'
import type { Api } from '../api.ts'
import { brokenRequest } from './incoming.ts'

/** As `clientError` has it. */
export interface ParserError extends Error {
  readonly code?: string
  readonly reason?: string
  readonly rawPacket?: Buffer
  /** Where in the packet it gave up. */
  readonly bytesParsed?: number
}

/** @returns what to say to the sender. */
export function refuseBroken(api: Api, error: ParserError): Promise<HttpResponse> | HttpResponse {
  const unknown = error.code === 'HPE_INVALID_METHOD' ? requestLine(error) : undefined
  // A method that only the parser does not know is one that this resource does not take: the API says which it takes.
  return unknown
    ? api.handle(brokenRequest(unknown.method, unknown.target))
    : api.refuse(brokenRequest(), translate(error))
}

/** The bytes of a response behind which the connection ends. */
export function inBytes({ status, headers, body }: HttpResponse): string {
  const lines = Object.entries({ ...headers, Date: new Date().toUTCString(), Connection: 'close' })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
  ]
  return `${head.join('\r\n')}\r\n\r\n${typeof body === 'string' ? body : ''}`
}

/** The request line in which the parser stopped (RFC 9112, section 3), where it is one. */
function requestLine({ rawPacket, bytesParsed = 0 }: ParserError) {
  const text = rawPacket?.toString('latin1') ?? ''
  const start = text.lastIndexOf('\n', bytesParsed - 1) + 1
  const [, method, target] =
    /^([!#$%&'*+.^_`|~\w-]+) (\S+) HTTP\/1\.[01]\r?$/m.exec(text.slice(start).split('\n', 1)[0] ?? '') ?? []
  return method !== undefined && target !== undefined ? { method, target } : undefined
}

function translate(error: ParserError): BucketError {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BucketError('request_timeout', 'the headers of the request did not arrive in time', {})
    case 'HPE_HEADER_OVERFLOW':
      return isTargetTooLong(error.rawPacket)
        ? new BucketError('uri_too_long', 'the request target is too long', {})
        : new BucketError('headers_too_large', 'the headers of the request are too large', {})
    default:
      return BucketError.invalidRequest([
        { in: 'header', name: 'request', detail: `is no HTTP/1.1 message: ${error.reason ?? error.message}` },
      ])
  }
}

/** Only the packet that broke the limit is at hand: a request line without an end in it was too long by itself. */
const isTargetTooLong = (packet: Buffer | undefined): boolean =>
  packet !== undefined && /^[A-Z]+ \S*$/.test(packet.subarray(0, 8192).toString('latin1'))
