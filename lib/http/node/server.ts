/**
 * The Node server: one `http.Server` around the API. It refuses before it reads, bounds every wait on a peer, replaces Node's own
 * bare refusals by problems, and stops only when running requests are done.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { BucketError } from '#protocol/errors'
import type { HttpRequest, HttpResponse } from '#protocol/http-message'
import { KIB } from '#protocol/limits'
import { API_ROOT } from '#protocol/routes'
import type { Api } from '../api.ts'
import { answerBrokenRequest } from './broken-request.ts'
import { type AllowedHosts, allowedHosts, checkHost } from './host-check.ts'
import { requestBody } from './request-body.ts'

/** The longest request target and the largest headers, in bytes (docs/http-api.md, section 8). */
const MAX_TARGET_BYTES = 8 * KIB
const MAX_HEADER_BYTES = 16 * KIB

export interface ServerOptions {
  readonly api: Api
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** The address that a proxy in front serves this server under. */
  readonly publicUrl?: URL
  readonly corsOrigins?: readonly string[]
  /** Answers paths beside the API (the local store's presigned requests); undefined for a path that is not its own. */
  readonly beside?: (request: HttpRequest) => Promise<HttpResponse> | undefined
  readonly timeouts?: Partial<ServerTimeouts>
}

/** In milliseconds. */
export interface ServerTimeouts {
  /** For the headers of a request, from its first byte. */
  readonly headers: number
  /** Without any byte from a sender, or to a receiver. */
  readonly idle: number
  /** For the rest of a body whose request is answered already. */
  readonly linger: number
}

const DEFAULT_TIMEOUTS: ServerTimeouts = { headers: 30_000, idle: 60_000, linger: 10_000 }

export interface RunningServer {
  readonly port: number
  /** The API root, `http://127.0.0.1:9470/v1`. */
  readonly url: string
  /** Takes no new request, waits for the running ones. */
  stop(): Promise<void>
}

/**
 * Listens and answers until `stop()`.
 *
 * @throws the system's error when it cannot listen (`EADDRINUSE`, `EACCES`, …).
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { api, publicUrl } = options
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts }
  const connections = new Set<Socket>()
  /** Connections with a request whose answer its receiver has still to take, or whose body is still arriving. */
  const running = new Map<Socket, ServerResponse>()
  let allowed: AllowedHosts = { hosts: new Set(), origins: new Set() }
  let stopping = false

  const server = createServer({
    // Larger than what we allow, so that we can say which limit a request breaks.
    maxHeaderSize: 2 * (MAX_TARGET_BYTES + MAX_HEADER_BYTES),
    headersTimeout: timeouts.headers,
    requestTimeout: 0, // a body that makes progress may take as long as it needs
    connectionsCheckingInterval: Math.min(5_000, timeouts.headers),
    keepAliveTimeout: 65_000,
    requireHostHeader: false, // a missing one is refused with a problem
  })

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse, awaitsContinue: boolean) => {
    const { socket } = incoming
    running.set(socket, outgoing)
    const settle = () => {
      if (running.get(socket) !== outgoing) return
      running.delete(socket)
      // What was busy when the stop began would otherwise stay open for its next request.
      if (stopping) socket.destroySoon()
    }
    const aborted = new AbortController()
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) aborted.abort()
      if (incoming.complete || socket.destroyed) settle()
      else incoming.once('end', settle).once('close', settle)
    })
    let asked = false
    const request = apiRequest(incoming, aborted.signal, publicUrl, () => {
      asked = true
      if (awaitsContinue) outgoing.writeContinue()
      return requestBody(incoming, timeouts.idle)
    })
    const response = await answer(request, incoming)
    if (outgoing.destroyed) return closeBody(response)
    // Whoever waits for 100-continue and gets a final answer may send its body or not: only a new connection is unambiguous.
    if (stopping || (awaitsContinue && !asked)) outgoing.setHeader('Connection', 'close')
    if (!incoming.complete) lingerOnBody(incoming, outgoing, timeouts.linger)
    await send(response, outgoing)
  }

  const answer = async (request: HttpRequest, incoming: IncomingMessage): Promise<HttpResponse> => {
    try {
      checkSizes(incoming)
      checkHost(allowed, hostsOf(incoming), incoming.headers.origin)
    } catch (error) {
      if (error instanceof BucketError) return api.refuse(request, error)
      throw error
    }
    return (await options.beside?.(request)) ?? api.handle(request)
  }

  server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  // Called by `close` too. Node's own takes an answer for sent once it was handed over, and cuts off what is on its way.
  server.closeIdleConnections = () => {
    for (const socket of connections) if (!running.has(socket)) socket.destroy()
  }

  server.on('request', (incoming, outgoing) => void serve(incoming, outgoing, false))
  server.on('checkContinue', (incoming, outgoing) => void serve(incoming, outgoing, true))
  server.on('checkExpectation', (incoming, outgoing) => void serve(incoming, outgoing, false))
  server.on('clientError', (error, socket) =>
    answerBrokenRequest(api, error, socket as Socket, running.get(socket as Socket)),
  )
  // A receiver that takes no byte any more; senders have a limit of their own, and our own work is not theirs to be cut for.
  // Heads have the parser's limit, which answers; this one must not come before it.
  server.setTimeout(Math.max(timeouts.idle, 2 * timeouts.headers), (socket) => {
    const outgoing = running.get(socket)
    if (!outgoing || outgoing.headersSent) socket.destroy()
  })

  server.listen(options.port, options.host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  allowed = allowedHosts({ host: options.host, port }, publicUrl, options.corsOrigins)

  return {
    port,
    url: `${originOf(options.host, port)}${API_ROOT}`,
    async stop() {
      stopping = true
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

/** A wildcard address is no address to call: the loopback one is. */
function originOf(host: string, port: number): string {
  const name =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

function apiRequest(
  incoming: IncomingMessage,
  signal: AbortSignal,
  publicUrl: URL | undefined,
  body: () => AsyncIterable<Uint8Array>,
): HttpRequest {
  const { headers } = incoming
  const length = headers['content-length']
  const chunked = headers['transfer-encoding'] !== undefined
  const [host = ''] = hostsOf(incoming)
  return {
    method: incoming.method ?? 'GET',
    target: targetOf(incoming),
    headers: { get: (name) => headerValue(incoming, name) },
    size: length === undefined ? (chunked ? undefined : 0) : Number(length),
    body,
    requestId: randomUUID(),
    origin: publicUrl?.host === host.toLowerCase() ? publicUrl.origin : `http://${host}`,
    signal,
  }
}

function headerValue(incoming: IncomingMessage, name: string): string | null {
  const values = incoming.headersDistinct[name.toLowerCase()]
  return values === undefined ? null : values.join(', ')
}

const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i

/** The path and query; of a target in absolute form what comes behind the authority (RFC 9112, section 3.2.2). */
function targetOf(incoming: IncomingMessage): string {
  const target = (incoming.url ?? '').replace(ABSOLUTE_FORM, '')
  return target === '' ? '/' : target
}

/** The authority of an absolute target replaces the Host header (RFC 9112, section 3.2.2). */
function hostsOf(incoming: IncomingMessage): readonly string[] {
  const [, authority] = ABSOLUTE_FORM.exec(incoming.url ?? '') ?? []
  return authority !== undefined ? [authority] : (incoming.headersDistinct.host ?? [])
}

function checkSizes(incoming: IncomingMessage): void {
  const target = incoming.url?.length ?? 0
  if (target > MAX_TARGET_BYTES)
    throw new BucketError(
      'uri_too_long',
      `the request target has ${target} bytes; at most ${MAX_TARGET_BYTES} are taken`,
      {},
    )
  const headers = incoming.rawHeaders.reduce((bytes, text) => bytes + text.length + 2, 0)
  if (headers > MAX_HEADER_BYTES)
    throw new BucketError(
      'headers_too_large',
      `the headers have ${headers} bytes; at most ${MAX_HEADER_BYTES} are taken`,
      {},
    )
}

async function send(response: HttpResponse, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, response.headers)
  if (response.body === null || typeof response.body === 'string') {
    outgoing.end(response.body ?? undefined)
    return
  }
  try {
    for await (const chunk of response.body) {
      if (!outgoing.write(chunk)) await drained(outgoing)
      if (outgoing.destroyed) return
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
async function closeBody({ body }: HttpResponse): Promise<void> {
  if (body === null || typeof body === 'string') return
  const bytes = body[Symbol.asyncIterator]()
  await bytes.next().catch(() => undefined)
  await bytes.return?.()
}

/**
 * An answer that comes before the end of the body: the rest is read and dropped for a while, because closing at once would make
 * the sender's system throw the answer away unread (RFC 9112, section 9.6).
 */
function lingerOnBody(incoming: IncomingMessage, outgoing: ServerResponse, lingerMs: number): void {
  outgoing.once('finish', () => {
    if (incoming.complete) return
    const timer = setTimeout(() => incoming.socket.destroy(), lingerMs)
    incoming.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer))
    incoming.resume()
  })
}
