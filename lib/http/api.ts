/**
 * The HTTP API: one request in, one response out, for every front. Every response leaves through `finish`, so that each has its
 * request id, its timing and its line in the operation log, and every refusal is a problem.
 */
import { BucketError } from '../domain/errors.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import type { MessageValues } from '../protocol/messages.ts'
import { type Method, ROUTES, type RouteDescriptor, type RouteName, type Routes } from '../protocol/routes.ts'
import { corsHeaders } from './cors.ts'
import type { AnyHandler, Handlers } from './handlers.ts'
import { joinHeaders } from './join-headers.ts'
import { logged } from './logged-body.ts'
import { type OperationLog, RequestTrace, requestContexts } from './request-context.ts'
import { type BodyDecoder, readInputs } from './request-reader.ts'
import { commonHeaders, ErrorWithHeaders, encodeRefusal, encodeReply } from './respond.ts'
import { allow, matchPath, type PathMatch } from './router.ts'

/** The names of the JSON bodies of some routes. */
type JsonBodyOf<N extends RouteName> = N extends RouteName
  ? Routes[N] extends { readonly body: infer B extends keyof MessageValues }
    ? B
    : never
  : never

export interface ApiOptions<N extends RouteName, S extends object> {
  /** The routes that this API answers. */
  readonly handlers: Handlers<N, S>
  /** A decoder for each JSON body of those routes. */
  readonly bodies: { readonly [B in JsonBodyOf<N>]: BodyDecoder<MessageValues[B]> }
  readonly stores: S
  readonly log: OperationLog
  /** Origins whose pages may read responses; none by default. */
  readonly corsOrigins?: readonly string[]
}

export interface Api {
  /** Answers one request; never rejects. */
  handle(request: HttpRequest): Promise<HttpResponse>
  /** The response to a request that a front refuses before it can be parsed as one of the API. */
  refuse(request: HttpRequest, error: BucketError): HttpResponse
}

/** @see docs/http-api.md */
export function createApi<N extends RouteName, S extends object>(options: ApiOptions<N, S>): Api {
  const { stores, log, corsOrigins = [] } = options
  // Every handler takes the inputs of its own route, which `readInputs` returns for the same name.
  const handlers = options.handlers as Readonly<Record<string, AnyHandler<S> | undefined>>
  const bodies: Readonly<Record<string, BodyDecoder | undefined>> = options.bodies
  const contextOf = requestContexts(stores)
  const redirects = !('bytes' in stores) || stores.bytes === undefined

  async function respond(request: HttpRequest, trace: RequestTrace): Promise<HttpResponse> {
    const [path, query] = splitTarget(request.target)
    const match = matchPath(path)
    if (!match)
      throw new BucketError('route_not_found', `${request.method} ${path} is not a resource of this API`, {})
    if (request.method === 'OPTIONS') return preflight(request, match, trace)
    const name = match.methods[request.method as Method]
    if (name === undefined)
      throw new ErrorWithHeaders(
        new BucketError('method_not_allowed', `${path} does not support ${request.method}`, {}),
        { Allow: allow(match) },
      )
    trace.record.operation = name
    const handler = handlers[name]
    if (handler === undefined) throw new Error(`this server has no handler for ${name}`)
    const { body }: RouteDescriptor = ROUTES[name]
    const decodeBody = body === undefined ? undefined : bodies[body]
    const inputs = await readInputs(name, { request, match, query, redirects, decodeBody })
    trace.noteSubject(inputs)
    const context = contextOf(request, trace)
    return encodeReply(name, await handler(inputs as never, context), request, context)
  }

  function preflight(request: HttpRequest, match: PathMatch, trace: RequestTrace): HttpResponse {
    trace.record.operation = 'preflight'
    const methods = allow(match)
    const headers = { Allow: methods, 'Cache-Control': 'no-store' }
    return { status: 204, headers: { ...headers, ...corsHeaders(corsOrigins, request, methods) }, body: null }
  }

  function refusal(error: unknown, request: HttpRequest, trace: RequestTrace): HttpResponse {
    const isWrapped = error instanceof ErrorWithHeaders
    const bucketError = toBucketError(isWrapped ? error.error : error, request, trace)
    trace.record.code = bucketError.code
    return encodeRefusal(bucketError, request, isWrapped ? error.headers : {})
  }

  function finish(request: HttpRequest, trace: RequestTrace, response: HttpResponse): HttpResponse {
    const headers = joinHeaders(response.headers, commonHeaders(request.requestId, trace.serverTiming()))
    if (request.method !== 'OPTIONS')
      Object.assign(headers, joinVary(headers, corsHeaders(corsOrigins, request)))
    if (typeof response.body === 'string')
      headers['Content-Length'] = String(Buffer.byteLength(response.body))
    const body = request.method === 'HEAD' ? null : response.body
    return logged({ status: response.status, headers, body }, request, trace, log)
  }

  return {
    async handle(request) {
      const trace = new RequestTrace()
      const response = await respond(request, trace).catch((error: unknown) => refusal(error, request, trace))
      return finish(request, trace, response)
    },
    refuse(request, error) {
      const trace = new RequestTrace()
      return finish(request, trace, refusal(error, request, trace))
    },
  }
}

function splitTarget(target: string): [path: string, query: string] {
  const at = target.indexOf('?')
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}

const joinVary = (headers: Record<string, string>, cors: Record<string, string>): Record<string, string> =>
  headers.Vary !== undefined && cors.Vary !== undefined
    ? { ...cors, Vary: `${headers.Vary}, ${cors.Vary}` }
    : cors

/** An error that is not a refusal is a defect: the caller learns only the request id, the log the rest. */
function toBucketError(error: unknown, { signal }: HttpRequest, { record }: RequestTrace): BucketError {
  if (error instanceof BucketError) {
    if (error.cause instanceof Error) record.error = error.cause.message
    // A store's own finding, such as a replaced folder, has no inner cause.
    else if (error.code === 'unavailable') record.error = error.message
    return error
  }
  if (signal?.aborted) {
    record.aborted = true
    return new BucketError(
      'request_timeout',
      'the connection closed before the request was complete',
      {},
      { cause: error },
    )
  }
  record.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new BucketError('internal', 'the request failed; the log has the reason under its request id', {})
}
