/** Sends a response no faster than the receiver reads it. A body that fails midway never looks complete. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpResponse } from '../../protocol/http-message.ts'

export async function send(response: HttpResponse, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, response.headers)
  if (response.body === null || typeof response.body === 'string') {
    outgoing.end(response.body ?? undefined)
    return
  }
  try {
    for await (const chunk of response.body) {
      if (outgoing.destroyed) return
      if (!outgoing.write(chunk)) await drained(outgoing)
    }
    outgoing.end()
  } catch {
    // The connection closes before Content-Length is reached, so the receiver knows that bytes are missing.
    outgoing.destroy()
  }
}

/** Resolves when the receiver can take more bytes, or has disconnected. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      outgoing.off('drain', settle).off('close', settle)
      resolve()
    }
    outgoing.on('drain', settle).on('close', settle)
    if (outgoing.destroyed) settle()
  })
}

/** Ends a body that will not be sent, so that its files are closed and its log line is written. */
export async function cancelBody({ body }: HttpResponse): Promise<void> {
  if (body === null || typeof body === 'string') return
  const bytes = body[Symbol.asyncIterator]()
  await bytes.next().catch(() => undefined)
  await bytes.return?.()
}

/**
 * After a response that comes before the end of the body, reads and drops the rest for a while. If the server closed at once, the
 * sender's system would discard the response unread (RFC 9112, section 9.6).
 *
 * @param lingerMs how long, in milliseconds.
 */
export function lingerOnBody(incoming: IncomingMessage, outgoing: ServerResponse, lingerMs: number): void {
  outgoing.once('finish', () => {
    if (incoming.complete) return
    const timer = setTimeout(() => incoming.socket.destroy(), lingerMs)
    incoming.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer))
    incoming.resume()
  })
}
