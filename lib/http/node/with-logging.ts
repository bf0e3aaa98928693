/** Requests outside of the API get their request id and their line in the operation log too. */
import { HEADERS } from '../../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../../protocol/http-message.ts'
import { logged } from '../logged-body.ts'
import { type OperationLog, type OperationRecord, RequestTrace } from '../request-context.ts'

/** Answers paths outside of the API; undefined for any other path. */
export type ExtraRoutes = (request: HttpRequest) => Promise<HttpResponse> | undefined

/** Answers the paths of its own, and notes the subject of the request for the log; undefined for any other path. */
export type NotingHandler = (
  request: HttpRequest,
  notes: Partial<OperationRecord>,
) => Promise<HttpResponse> | undefined

/** Makes a handler fit for `ServerOptions.extraRoutes`; its requests have `operation` in the log. */
export function withLogging(
  operation: 'blob' | 'page',
  handler: NotingHandler,
  log: OperationLog,
): ExtraRoutes {
  return (request) => {
    const trace = new RequestTrace()
    trace.record.operation = operation
    return handler(request, trace.record)?.then((response) => {
      const headers = { ...response.headers, [HEADERS.requestId]: request.requestId }
      return logged({ ...response, headers }, request, trace, log)
    })
  }
}

/** @returns the response of the first handler that knows the path. */
export const firstOf =
  (...routes: readonly ExtraRoutes[]): ExtraRoutes =>
  (request) => {
    for (const answer of routes) {
      const response = answer(request)
      if (response !== undefined) return response
    }
    return undefined
  }
