/**
 * The HTTP API: one request in, one response out, whatever the front. Every response leaves through `handle`, so that none lacks
 * its request id, its timing or its line in the operation log, and nothing but a problem says no.
 */
import { BucketError } from '../domain/errors.ts'
import { HEADERS } from '../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import type { Method, RouteName } from '../protocol/routes.ts'
import type { Repository } from '../repository/repository.ts'
import { corsHeaders } from './cors.ts'
import { type Delivery, download, fetchBytes, fetchEntry } from './fetch.ts'
import { Inputs } from './inputs.ts'
import { listVersions } from './list.ts'
import { logged } from './logged-body.ts'
import { Operation, type OperationLog } from './operation.ts'
import { problemResponse } from './problem.ts'
import { allow, matchPath } from './router.ts'
import { health, openapi, problem, problems, service } from './service.ts'
import { store } from './store.ts'
import { abortUpload, beginUpload, commitUpload, presignParts, uploadState } from './uploads.ts'

export interface ApiOptions {
  readonly repository: Repository
  /** Whether a fetch gives the bytes or redirects to them. */
  readonly delivery: Delivery
  readonly log: OperationLog
  /** Origins whose pages may read answers; none by default. */
  readonly corsOrigins?: readonly string[]
}

export interface Api {
  /** Answers one request; never rejects. */
  handle(request: HttpRequest): Promise<HttpResponse>
  /** Answers a request that a front refuses before it can be read as one of the API. */
  refuse(request: HttpRequest, error: BucketError): HttpResponse
}

/** @see docs/http-api.md */
export function createApi(options: ApiOptions): Api {
  const { repository, delivery, log, corsOrigins = [] } = options

  async function answer(request: HttpRequest, operation: Operation): Promise<HttpResponse> {
    const [path = '', query = ''] = splitTarget(request.target)
    const match = matchPath(path)
    if (!match)
      throw new BucketError('route_not_found', `${request.method} ${path} is no resource of this API`, {})
    if (request.method === 'OPTIONS') {
      operation.record.operation = 'preflight'
      const methods = allow(match)
      return {
        status: 204,
        headers: {
          Allow: methods,
          'Cache-Control': 'no-store',
          ...corsHeaders(corsOrigins, request, methods),
        },
        body: null,
      }
    }
    const route = match.methods[request.method as Method]
    if (!route) {
      const error = new BucketError('method_not_allowed', `${request.method} means nothing on ${path}`, {})
      return problemResponse(error, operation, { Allow: allow(match) })
    }
    operation.record.operation = route
    const inputs = new Inputs(match.params, request.headers, query)
    return run(route, request, inputs, operation, match.params)
  }

  async function run(
    route: RouteName,
    request: HttpRequest,
    inputs: Inputs,
    operation: Operation,
    params: Readonly<Record<string, string>>,
  ): Promise<HttpResponse> {
    switch (route) {
      case 'service':
        return service(repository, inputs)
      case 'health':
        return health(repository, inputs, operation)
      case 'openapi':
        return openapi(inputs)
      case 'problems':
        return problems(request, inputs)
      case 'problem':
        return problem(request, inputs, params.code ?? '')
      case 'listVersions':
        return listVersions(repository, inputs, operation)
      case 'store':
        return store(repository, request, inputs, operation)
      case 'fetch':
      case 'head':
        return fetchBytes(repository, delivery, request, inputs, operation)
      case 'entry':
        return fetchEntry(repository, inputs, operation)
      case 'download':
        return download(repository, request, inputs, operation)
      case 'beginUpload':
        return beginUpload(repository, request, inputs, operation)
      case 'uploadState':
        return uploadState(repository, inputs, operation)
      case 'presignParts':
        return presignParts(repository, request, inputs, operation)
      case 'commitUpload':
        return commitUpload(repository, inputs, operation)
      case 'abortUpload':
        return abortUpload(repository, inputs, operation)
    }
  }

  function finish(request: HttpRequest, operation: Operation, response: HttpResponse): HttpResponse {
    const headers: Record<string, string> = {
      ...response.headers,
      [HEADERS.requestId]: request.requestId,
      'X-Content-Type-Options': 'nosniff',
      'Server-Timing': operation.serverTiming(),
    }
    if (request.method !== 'OPTIONS')
      Object.assign(headers, joinVary(headers, corsHeaders(corsOrigins, request)))
    if (typeof response.body === 'string')
      headers['Content-Length'] = String(Buffer.byteLength(response.body))
    const body = request.method === 'HEAD' ? null : response.body
    return logged({ status: response.status, headers, body }, request, operation, log)
  }

  return {
    async handle(request) {
      const operation = new Operation(request)
      const response = await answer(request, operation).catch((error: unknown) =>
        problemResponse(asBucketError(error, operation), operation),
      )
      return finish(request, operation, response)
    },
    refuse(request, error) {
      const operation = new Operation(request)
      return finish(request, operation, problemResponse(error, operation))
    },
  }
}

function splitTarget(target: string): [string, string] {
  const at = target.indexOf('?')
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}

const joinVary = (headers: Record<string, string>, cors: Record<string, string>): Record<string, string> =>
  headers.Vary !== undefined && cors.Vary !== undefined
    ? { ...cors, Vary: `${headers.Vary}, ${cors.Vary}` }
    : cors

/** What is no refusal of ours is a fault of ours: the wire learns only its request id, the log the rest. */
function asBucketError(error: unknown, operation: Operation): BucketError {
  if (error instanceof BucketError) {
    if (error.cause instanceof Error) operation.record.error = error.cause.message
    return error
  }
  if (operation.signal?.aborted) {
    operation.record.aborted = true
    return new BucketError(
      'request_timeout',
      'the connection broke before the request was complete',
      {},
      { cause: error },
    )
  }
  operation.record.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new BucketError(
    'internal',
    'the request failed for a reason that is in the log under its request id',
    {},
  )
}
