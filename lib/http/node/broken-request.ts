/**
 * Input that Node's parser refuses never reaches the API. Node would respond with a bare status line; this module writes a problem to the
 * socket, as for any other refusal.
 */
import { STATUS_CODES } from 'node:http'
import { BucketError } from '../../domain/errors.ts'
import type { HttpResponse } from '../../protocol/http-message.ts'
import { invalidInputs } from '../../protocol/input-error.ts'
import type { Api } from '../api.ts'
import { brokenRequest } from './incoming.ts'

/** The error of Node's `clientError` event. */
export interface ParserError extends Error {
  readonly code?: string
  readonly reason?: string
  readonly rawPacket?: Buffer
  /** Where in the packet the parser stopped. */
  readonly bytesParsed?: number
}

/** @returns the response to the sender. */
export function refuseBroken(api: Api, error: ParserError): Promise<HttpResponse> | HttpResponse {
  const unknown = error.code === 'HPE_INVALID_METHOD' ? requestLine(error) : undefined
  // The parser does not know every method of HTTP. The API responds with 405 and the methods that the resource supports.
  return unknown
    ? api.handle(brokenRequest(unknown.method, unknown.target))
    : api.refuse(brokenRequest(), translate(error))
}

/** The bytes of a response after which the connection closes. */
export function inBytes({ status, headers, body }: HttpResponse): string {
  const lines = Object.entries({ ...headers, Date: new Date().toUTCString(), Connection: 'close' })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
  ]
  return `${head.join('\r\n')}\r\n\r\n${typeof body === 'string' ? body : ''}`
}

/** The request line in which the parser stopped (RFC 9112, section 3); undefined if the line is malformed. */
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
      return invalidInputs([
        {
          in: 'header',
          name: 'request',
          detail: `is not an HTTP/1.1 message: ${error.reason ?? error.message}`,
        },
      ])
  }
}

/** Only the packet that exceeded the limit is available. A request line that does not end in it was itself too long. */
const isTargetTooLong = (packet: Buffer | undefined): boolean =>
  packet !== undefined && /^[A-Z]+ \S*$/.test(packet.subarray(0, 8192).toString('latin1'))
