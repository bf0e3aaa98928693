/**
 * The Node server: one `http.Server` around the API. It refuses before it reads, bounds every wait on a peer, replaces Node's own
 * bare refusals by problems, and stops only after the running requests.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEFAULT_BODY_PACE, DEFAULT_MAX_CONNECTIONS } from '../../domain/limits.ts'
import type { HttpResponse } from '../../protocol/http-message.ts'
import { API_ROOT } from '../../protocol/routes.ts'
import type { Api } from '../api.ts'
import { inBytes, type ParserError, refuseBroken } from './broken-request.ts'
import { Connection } from './connection.ts'
import { allowedHosts, hostInUrl } from './host-check.ts'
import type { HotPath } from './hot-path.ts'
import type { BegunRequest } from './hot-request.ts'
import { brokenRequest, MAX_HEADER_BYTES, MAX_TARGET_BYTES } from './incoming.ts'
import type { BodyPace } from './request-body.ts'
import { type Serving, serveRequest } from './serve-request.ts'
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

/** How long requests whose connections were closed may take to end, in milliseconds: one may wait for a disk that hangs. */
const CUT_MS = 1_000

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
  const running = new Set<Promise<void>>()
  const serving: Serving = {
    ...{ api, publicUrl, bodyPace, maxConnections, extraRoutes: options.extraRoutes },
    lingerMs: timeouts.linger,
    allowed: { hosts: new Set(), names: new Set(), origins: new Set() },
    isStopping: false,
  }

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
    const isSurplus = connection?.isSurplus === true
    const general = (begun?: BegunRequest) => {
      const request = { incoming, outgoing, awaitsContinue, isSurplus, begun }
      const served = serveRequest(serving, request).finally(() => running.delete(served))
      running.add(served)
    }
    const isPlain = !awaitsContinue && !isSurplus
    connection?.turn(incoming, outgoing, () => {
      if (isPlain && !serving.isStopping && options.hotPath !== undefined)
        options.hotPath({ incoming, outgoing, hosts: serving.allowed.hosts, bodyPace, general })
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
  serving.allowed = allowedHosts({ host: options.host, port }, publicUrl, options.allowedHosts)

  return {
    port,
    url: `${originOf(options.host, port)}${API_ROOT}`,
    async stop(limitMs) {
      serving.isStopping = true
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

/** A client cannot call a wildcard address, so it gets the loopback one. */
function originOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${hostInUrl(reachable)}:${port}`
}
