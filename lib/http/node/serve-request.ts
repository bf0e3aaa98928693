/**
 * One request of the Node server, from its head to the end of its response: refused by what its head shows, answered by the API, and
 * sent so that the connection is never ambiguous.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BucketError } from '../../domain/errors.ts'
import { GIB } from '../../domain/limits.ts'
import { ERROR_STATUS } from '../../protocol/errors.ts'
import type { HttpRequest, HttpResponse } from '../../protocol/http-message.ts'
import { API_ROOT, ROUTES } from '../../protocol/routes.ts'
import type { Api } from '../api.ts'
import { type AllowedHosts, checkHost } from './host-check.ts'
import type { BegunRequest } from './hot-request.ts'
import { apiRequest, checkFraming, checkSizes, hostsOf } from './incoming.ts'
import { cancelBody, send, sendEarly } from './outgoing.ts'
import { type BodyPace, requestBody } from './request-body.ts'
import type { ExtraRoutes } from './with-logging.ts'

/** After an early refusal, the server reads at most this much of the rest of a body. */
const DROPPED_BYTES = GIB

/** After a stalled sender, no further request can arrive on its connection. */
const STALLED = ERROR_STATUS.request_timeout

/** Shared by all requests of a server. */
export interface Serving {
  readonly api: Api
  readonly publicUrl: URL | undefined
  readonly extraRoutes: ExtraRoutes | undefined
  readonly bodyPace: BodyPace
  readonly lingerMs: number
  readonly maxConnections: number
  /** The names of the server, which are known once it listens. */
  allowed: AllowedHosts
  /** Whether the server accepts no further request. */
  isStopping: boolean
}

export interface RequestToServe {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly awaitsContinue: boolean
  /** Whether its connection is above the limit. */
  readonly isSurplus: boolean
  /** Set if the hot path began it: its id, and what it read of the body. */
  readonly begun?: BegunRequest | undefined
}

export async function serveRequest(serving: Serving, toServe: RequestToServe): Promise<void> {
  const { incoming, outgoing, awaitsContinue, isSurplus, begun } = toServe
  let isBodyRead = false
  const body = () => {
    isBodyRead = true
    if (awaitsContinue) outgoing.writeContinue()
    return begun?.body ?? requestBody(incoming, serving.bodyPace)
  }
  const request = apiRequest(incoming, outgoing, serving.publicUrl, body, begun?.requestId)
  const response = await answer(serving, request, incoming, isSurplus)
  if (outgoing.destroyed) return cancelBody(response)
  // A sender that waits for 100-continue and gets a final response may send its body or not. Only a new connection is unambiguous.
  const isAmbiguous = awaitsContinue && !isBodyRead
  if (serving.isStopping || isSurplus || isAmbiguous || response.status === STALLED)
    outgoing.setHeader('Connection', 'close')
  const { body: content } = response
  const isEarly = !incoming.complete && !isAmbiguous && response.status !== STALLED
  if (isEarly && (content === null || typeof content === 'string'))
    return sendEarly({ ...response, body: content }, incoming, outgoing, {
      ms: serving.lingerMs,
      bytes: DROPPED_BYTES,
    })
  await send(response, outgoing)
}

async function answer(
  { api, allowed, extraRoutes, maxConnections }: Serving,
  request: HttpRequest,
  incoming: IncomingMessage,
  isSurplus: boolean,
): Promise<HttpResponse> {
  try {
    // A probe that meets a busy server must not take it for a dead one.
    if (isSurplus && !isHealth(request)) throw tooManyConnections(maxConnections)
    checkSizes(incoming)
    checkHost(allowed, hostsOf(incoming), incoming.headers, isHealth(request))
    checkFraming(incoming)
  } catch (error) {
    if (error instanceof BucketError) return api.refuse(request, error)
    throw error
  }
  return (await extraRoutes?.(request)) ?? api.handle(request)
}

const isHealth = ({ target }: HttpRequest): boolean =>
  target.split('?', 1)[0] === `${API_ROOT}${ROUTES.health.path}`

const tooManyConnections = (limit: number) =>
  BucketError.unavailable(
    `this server has ${limit} connections open, which is its limit (--max-connections); keep fewer open, or try again later`,
  )
