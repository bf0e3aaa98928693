/**
 * Requests that Node's parser gives up on never reach the API. Node would answer them with a bare status line; here they get the
 * same problem as any other, written to the socket by hand.
 */
import { randomUUID } from 'node:crypto'
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { BucketError } from '#protocol/errors'
import type { Api } from '../api.ts'

interface ParserError extends Error {
  readonly code?: string
  readonly reason?: string
  readonly rawPacket?: Buffer
}

/** @param current the response under way on this connection, if there is one. */
export function answerBrokenRequest(
  api: Api,
  error: ParserError,
  socket: Socket,
  current: ServerResponse | undefined,
): void {
  // Bytes behind an answer that has begun would be taken for a part of it.
  if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent) return void socket.destroy()
  const refused = api.refuse(
    {
      method: 'UNKNOWN',
      target: '',
      headers: { get: () => null },
      size: undefined,
      body: async function* () {},
      requestId: randomUUID(),
      origin: '',
    },
    translate(error),
  )
  const lines = Object.entries({ ...refused.headers, Date: new Date().toUTCString(), Connection: 'close' })
  const head = [
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${typeof refused.body === 'string' ? refused.body : ''}`)
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
