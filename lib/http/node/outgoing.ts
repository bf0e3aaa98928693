/** Gives an answer to its receiver: no faster than it is taken, and never one that could be mistaken for a whole. */
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
    // Cut before Content-Length is reached: the receiver cannot take it for the whole.
    outgoing.destroy()
  }
}

/** Resolves when more may be written, or nothing any more. */
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

/** Lets a body that nobody will send end, so that what it holds is closed and its log line written. */
export async function closeBody({ body }: HttpResponse): Promise<void> {
  if (body === null || typeof body === 'string') return
  const bytes = body[Symbol.asyncIterator]()
  await bytes.next().catch(() => undefined)
  await bytes.return?.()
}

/**
 * An answer that comes before the end of the body: the rest is read and dropped for a while, because closing at once would make
 * the sender's system throw the answer away unread (RFC 9112, section 9.6).
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
