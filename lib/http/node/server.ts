/**
 * The Node server: one `http.Server` around the API. It refuses before it reads, bounds every wait on a peer, replaces Node's own
 * bare refusals by problems, and stops only after the running requests.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { BucketError } from '../../domain/errors.ts'
import { DEFAULT_BODY_PACE, DEFAULT_MAX_CONNECTIONS, GIB } from '../../domain/limits.ts'
import { ERROR_STATUS } from '../../protocol/errors.ts'
import type { HttpRequest, HttpResponse } from '../../protocol/http-message.ts'
import { API_ROOT, ROUTES } from '../../protocol/routes.ts'
import type { Api } from '../api.ts'
import { inBytes, type ParserError, refuseBroken } from './broken-request.ts'
import { Connection } from './connection.ts'
import { type AllowedHosts, allowedHosts, checkHost, hostInUrl } from './host-check.ts'
import type { HotPath } from './hot-path.ts'
import type { BegunRequest } from './hot-request.ts'
import {
  apiRequest,
  brokenRequest,
  checkFraming,
  checkSizes,
  hostsOf,
  MAX_HEADER_BYTES,
  MAX_TARGET_BYTES,
} from './incoming.ts'
import { cancelBody, send, sendEarly } from './outgoing.ts'
import { type BodyPace, requestBody } from './request-body.ts'
import { KEEP_ALIVE_MS } from './whole-response.ts'
import type { ExtraRoutes } from './with-logging.ts'

export interface ServerOptions {
  readonly api: Api
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  /** The address of this server behind a proxy. */
  readonly publicUrl?: URL
  /** Further values of `Host` to accept, with a port or for any port. */
  readonly allowedHosts?: readonly string[]
  /** The page, and the presigned requests of the local store. */
  readonly extraRoutes?: ExtraRoutes
  /** Answers plain requests faster, with the same responses as `api`. */
  readonly hotPath?: HotPath
  readonly timeouts?: Partial<ServerTimeouts>
  /** How slowly the bytes of a request may arrive. */
  readonly bodyPace?: BodyPace
  /** More connections are refused with 503. */
  readonly maxConnections?: number
}

/** Connections beyond the limit that get a response. Further ones are closed at once. */
const REFUSED_CONNECTIONS = 64

/** In milliseconds. */
export interface ServerTimeouts {
  /** For the headers of a request, from its first byte. */
  readonly headers: number
  /** Without any byte to a receiver. */
  readonly idle: number
  /** For the rest of a body whose response has been sent, and for what comes after the last response of a connection. */
  readonly linger: number
}

/** After an early refusal, the server reads at most this much of the rest of a body. */
const DROPPED_BYTES = GIB

/** How long requests whose connections were closed may take to end, in milliseconds: one may wait for a disk that hangs. */
const CUT_MS = 1_000

/** After a stalled sender, no further request can arrive on its connection. */
const STALLED = ERROR_STATUS.request_timeout

const DEFAULT_TIMEOUTS: ServerTimeouts = { headers: 30_000, idle: 60_000, linger: 10_000 }

export interface RunningServer {
  readonly port: number
  /** The API root, `http://127.0.0.1:9470/v1`. */
  readonly url: string
  /**
   * Accepts no new request, and waits for the running ones.
   *
   * @param limitMs then the connections of those that still run are closed, and they fail as if their peers had left.
   */
  stop(limitMs?: number): Promise<void>
}

/**
 * Serves requests until `stop()`.
 *
 * @throws the system's error when it cannot listen (`EADDRINUSE`, `EACCES`, …).
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { api, publicUrl, bodyPace = DEFAULT_BODY_PACE, maxConnections = DEFAULT_MAX_CONNECTIONS } = options
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts }
  const connections = new Map<Socket, Connection>()
  let allowed: AllowedHosts = { hosts: new Set(), names: new Set(), origins: new Set() }
  const running = new Set<Promise<void>>()
  let stopping = false

  const server = createServer({
    // Larger than our own limits, so that the response can say which limit a request exceeds.
    maxHeaderSize: 2 * (MAX_TARGET_BYTES + MAX_HEADER_BYTES),
    headersTimeout: timeouts.headers,
    requestTimeout: 0, // `bodyPace` bounds a body: one that is fast enough may take as long as it needs
    connectionsCheckingInterval: Math.min(5_000, timeouts.headers),
    keepAliveTimeout: KEEP_ALIVE_MS,
    requireHostHeader: false, // a missing one is refused with a problem
  })
  // By default Node drops headers after the thousandth, unread. Their size is the limit here.
  server.maxHeadersCount = 0
  server.maxConnections = maxConnections + REFUSED_CONNECTIONS

  /** @param begun a request that the hot path began: its id, and what it read of the body. */
  const serve = async (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    awaitsContinue: boolean,
    begun?: BegunRequest,
  ) => {
    let asked = false
    const body = () => {
      asked = true
      if (awaitsContinue) outgoing.writeContinue()
      return begun?.body ?? requestBody(incoming, bodyPace)
    }
    const request = apiRequest(incoming, outgoing, publicUrl, body, begun?.requestId)
    const response = await answer(request, incoming)
    if (outgoing.destroyed) return cancelBody(response)
    // A sender that waits for 100-continue and gets a final response may send its body or not. Only a new connection is unambiguous.
    const isAmbiguous = awaitsContinue && !asked
    const isUnwanted = stopping || connections.get(incoming.socket)?.isSurplus === true
    if (isUnwanted || isAmbiguous || response.status === STALLED) outgoing.setHeader('Connection', 'close')
    const { body: content } = response
    const isEarly = !incoming.complete && !isAmbiguous && response.status !== STALLED
    if (isEarly && (content === null || typeof content === 'string'))
      return sendEarly({ ...response, body: content }, incoming, outgoing, {
        ms: timeouts.linger,
        bytes: DROPPED_BYTES,
      })
    await send(response, outgoing)
  }

  const answer = async (request: HttpRequest, incoming: IncomingMessage): Promise<HttpResponse> => {
    try {
      // A probe that meets a busy server must not take it for a dead one.
      if (connections.get(incoming.socket)?.isSurplus && !isHealth(request))
        throw tooManyConnections(maxConnections)
      checkSizes(incoming)
      checkHost(allowed, hostsOf(incoming), incoming.headers, isHealth(request))
      checkFraming(incoming)
    } catch (error) {
      if (error instanceof BucketError) return api.refuse(request, error)
      throw error
    }
    return (await options.extraRoutes?.(request)) ?? api.handle(request)
  }

  const end = (socket: Socket, response: () => HttpResponse | Promise<HttpResponse>) =>
    connections.get(socket)?.end(async () => inBytes(await response()))

  server.on('connection', (socket) => {
    connections.set(socket, new Connection(socket, connections.size >= maxConnections, timeouts.linger))
    socket.once('close', () => connections.delete(socket))
  })
  // `close` calls this too. Node's own method closes connections whose response has not reached its receiver yet.
  server.closeIdleConnections = () => {
    for (const connection of connections.values()) connection.stop()
  }

  const inTurn = (awaitsContinue: boolean) => (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const connection = connections.get(incoming.socket)
    const general = (begun?: BegunRequest) => {
      const served = serve(incoming, outgoing, awaitsContinue, begun).finally(() => running.delete(served))
      running.add(served)
    }
    const isPlain = !awaitsContinue && !connection?.isSurplus
    connection?.turn(incoming, outgoing, () => {
      if (isPlain && !stopping && options.hotPath !== undefined)
        options.hotPath({ incoming, outgoing, hosts: allowed.hosts, bodyPace, general })
      else general()
    })
  }

  server.on('request', inTurn(false))
  server.on('checkContinue', inTurn(true))
  server.on('checkExpectation', inTurn(false))
  server.on('connect', ({ method, url }, socket) =>
    end(socket as Socket, () => api.handle(brokenRequest(method, url))),
  )
  server.on('clientError', (error: ParserError, socket) => {
    if (error.code === 'ECONNRESET') socket.destroy()
    else end(socket as Socket, () => refuseBroken(api, error))
  })
  // Closes on a receiver that reads no more bytes. Senders have a limit of their own, and a request that waits for our stores is
  // not closed. The parser's limit for headers sends a response, so this one must be longer.
  server.setTimeout(Math.max(timeouts.idle, 2 * timeouts.headers), (socket) => {
    if (connections.get(socket)?.waitsForReceiver !== false) socket.destroy()
  })

  server.listen(options.port, options.host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  allowed = allowedHosts({ host: options.host, port }, publicUrl, options.allowedHosts)

  return {
    port,
    url: `${originOf(options.host, port)}${API_ROOT}`,
    async stop(limitMs) {
      stopping = true
      const closed = once(server, 'close')
      server.close()
      const cut = () => {
        for (const socket of connections.keys()) socket.destroy()
      }
      const timer = limitMs === undefined ? undefined : setTimeout(cut, limitMs)
      await closed
      clearTimeout(timer)
      // Each of them writes its line in the operation log when it ends.
      await Promise.race([Promise.allSettled(running), sleep(CUT_MS, undefined, { ref: false })])
    },
  }
}

const isHealth = ({ target }: HttpRequest): boolean =>
  target.split('?', 1)[0] === `${API_ROOT}${ROUTES.health.path}`

const tooManyConnections = (limit: number) =>
  BucketError.unavailable(
    `this server has ${limit} connections open, which is its limit (--max-connections); keep fewer open, or try again later`,
  )

/** A client cannot call a wildcard address, so it gets the loopback one. */
function originOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${hostInUrl(reachable)}:${port}`
}
