/**
 * Sends a response whose bytes, head and content, are known as a whole. Node would build its head again, with a check of every
 * header, and write head and content separately: a fifth of the processor time of a small response.
 *
 * Only the encoding is skipped. A response without `writeHead` calls it when it ends ("implicit headers"), and one whose `writeHead`
 * makes no head sends what it is given. So Node still keeps the order of pipelined responses, the limits of an idle connection, and
 * `finish` and `close`. `test/contract/hot-path.test.ts` compares the bytes with those that Node writes.
 */
import type { ServerResponse } from 'node:http'
import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'

/** How long a connection may be idle, in milliseconds. */
export const KEEP_ALIVE_MS = 65_000

/**
 * @param headers with `Content-Length`; without those that depend on the connection.
 * @param date for the `Date` field.
 * @returns the head of a response after which the connection stays open, as Node writes it.
 * @throws TypeError for a name or value that is not allowed in a header.
 */
export function encodeHead(status: number, headers: Readonly<Record<string, string>>, date: string): string {
  const lines = Object.entries(headers).map(([name, value]) => {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return `${name}: ${value}\r\n`
  })
  const connection = `Connection: keep-alive\r\nKeep-Alive: timeout=${KEEP_ALIVE_MS / 1000}\r\n`
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}Date: ${date}\r\n${connection}\r\n`
}

/** Whether `sendWhole` can answer the request: its connection stays open, and nothing has been written. */
export const takesWhole = (outgoing: ServerResponse): boolean =>
  outgoing.shouldKeepAlive && !outgoing.headersSent

/**
 * @param outgoing a response for which `takesWhole` is true. Its `headersSent` stays false.
 * @param bytes one character for each byte: a head of `encodeHead`, and the content.
 */
export function sendWhole(outgoing: ServerResponse, bytes: string): void {
  outgoing.writeHead = withoutHead
  outgoing.end(bytes, 'latin1')
}

function withoutHead(this: ServerResponse) {
  return this
}
