/** Encodes what a handler returned, or an error that ended the request, as the response of its route. */
import { type BucketError, isBucketError } from '../domain/errors.ts'
import { ENCODERS, encodeProblem, type WireContext } from '../protocol/encode.ts'
import { ERROR_STATUS } from '../protocol/errors.ts'
import { HEADERS, MEDIA_TYPES } from '../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import { ROUTES, type RouteDescriptor, type RouteName } from '../protocol/routes.ts'
import type { Reply } from './handlers.ts'
import { joinHeaders } from './join-headers.ts'
import { acceptsHtml, problemPage } from './problem-page.ts'

/** Responses must not be cached unless their headers say otherwise (docs/http-api.md, section 1). */
const NOT_KEPT = { 'Cache-Control': 'no-store' }

/** The headers of every response, in addition to its own (docs/http-api.md, section 1). */
export const commonHeaders = (requestId: string, serverTiming: string): Record<string, string> => ({
  [HEADERS.requestId]: requestId,
  'X-Content-Type-Options': 'nosniff',
  'Server-Timing': serverTiming,
})

export function encodeReply(
  name: RouteName,
  { status, headers, content }: Reply,
  request: Pick<HttpRequest, 'headers'>,
  context: WireContext,
): HttpResponse {
  const route: RouteDescriptor = ROUTES[name]
  const described = route.responses[status]
  if (described === undefined) throw new TypeError(`${name} has no response ${status}`)
  const all = joinHeaders(NOT_KEPT, headers ?? {})
  if (described.content === undefined) return { status, headers: all, body: null }
  // The type of a handler holds status and content together, which `Reply` cannot express.
  if (described.content === 'bytes')
    return { status, headers: all, body: content as AsyncIterable<Uint8Array> }
  const message = described.content === 'json' ? content : encode(described.content, content, context)
  if (described.page && acceptsHtml(request)) {
    const page = problemPage(message)
    return { status, headers: joinHeaders(all, page.headers), body: page.html }
  }
  return {
    status,
    headers: joinHeaders({ 'Content-Type': MEDIA_TYPES.json }, all),
    body: JSON.stringify(message),
  }
}

const encode = (name: keyof typeof ENCODERS, value: unknown, context: WireContext): unknown =>
  (ENCODERS[name] as (value: unknown, context: WireContext) => unknown)(value, context)

/** An error with headers that only its place in the API knows, such as `Allow`. */
export class ErrorWithHeaders extends Error {
  readonly error: BucketError
  readonly headers: Readonly<Record<string, string>>

  constructor(error: BucketError, headers: Readonly<Record<string, string>>) {
    super(error.message)
    this.error = error
    this.headers = headers
  }
}

/** The same members for every code (docs/http-api.md, section 8). */
export function encodeRefusal(
  error: BucketError,
  context: WireContext,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const all: Record<string, string> = joinHeaders({ 'Content-Type': MEDIA_TYPES.problem }, NOT_KEPT, headers)
  if (error.retryAfter !== undefined) all['Retry-After'] = String(error.retryAfter)
  if (isBucketError(error, 'artifact_too_large'))
    all[HEADERS.uploadLimit] = `max-size=${error.details.maxArtifactBytes}`
  return {
    status: ERROR_STATUS[error.code],
    headers: all,
    body: JSON.stringify(encodeProblem(error, context)),
  }
}
