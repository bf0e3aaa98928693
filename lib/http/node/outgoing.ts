/** Sends a response no faster than the receiver reads it. A body that fails midway never looks complete. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isPourable } from '../../flow/pourable.ts'
import type { HttpResponse } from '../../protocol/http-message.ts'

export async function send(response: HttpResponse, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, response.headers)
  if (response.body === null || typeof response.body === 'string') {
    outgoing.end(response.body ?? undefined)
    return
  }
  try {
    if (isPourable(response.body)) {
      await response.body.pour((chunk) => written(outgoing, chunk))
      outgoing.end()
      return
    }
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

/** Writes a chunk. Resolves when the system has all of it, so that its memory can be used again. */
function written(outgoing: ServerResponse, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null) => {
      outgoing.off('close', disconnect)
      if (error) reject(error)
      else resolve()
    }
    const disconnect = () => settle(new Error('the receiver disconnected'))
    if (outgoing.destroyed) {
      disconnect()
      return
    }
    outgoing.once('close', disconnect)
    outgoing.write(chunk, settle)
  })
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

/** Bounds on the rest of a body that is read and dropped. */
export interface DropLimits {
  /** Milliseconds. */
  readonly ms: number
  readonly bytes: number
}

/**
 * Sends a response that comes before the end of the body, then reads and drops the rest before it ends the response. Some clients (Python's
 * urllib, which also asks to close the connection) read nothing before they have sent everything, and a server that closes first makes
 * their system discard the response unread (RFC 9112, section 9.6). The receiver already has the whole response, by its Content-Length.
 */
export async function sendEarly(
  response: HttpResponse & { readonly body: string | null },
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  limits: DropLimits,
): Promise<void> {
  outgoing.writeHead(response.status, response.headers)
  if (response.body === null) outgoing.flushHeaders()
  else outgoing.write(response.body)
  await dropBody(incoming, limits)
  if (!incoming.complete) outgoing.once('finish', () => incoming.socket.destroySoon())
  outgoing.end()
}

/** Resolves at the end of the body, or at the first limit. */
function dropBody(incoming: IncomingMessage, { ms, bytes }: DropLimits): Promise<void> {
  return new Promise((resolve) => {
    let dropped = 0
    const finish = () => {
      clearTimeout(timer)
      incoming.off('data', count).off('end', finish).off('close', finish)
      resolve()
    }
    const count = (chunk: Buffer) => {
      dropped += chunk.byteLength
      if (dropped > bytes) finish()
    }
    const timer = setTimeout(finish, ms)
    incoming.on('data', count).once('end', finish).once('close', finish).resume()
    if (incoming.destroyed) finish()
  })
}
