/** Requests outside of the API get their request id and their line in the operation log too. */
import { HEADERS } from '../../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../../protocol/http-message.ts'
import { logged } from '../logged-body.ts'
import { type OperationLog, type OperationRecord, RequestTrace } from '../request-context.ts'

/** Answers the paths of its own, and notes the subject of the request for the log; undefined for any other path. */
export type NotingHandler = (
  request: HttpRequest,
  notes: Partial<OperationRecord>,
) => Promise<HttpResponse> | undefined

/** Makes the endpoint of a store fit for `ServerOptions.extraRoutes`. */
export function withLogging(handler: NotingHandler, log: OperationLog) {
  return (request: HttpRequest): Promise<HttpResponse> | undefined => {
    const trace = new RequestTrace()
    trace.record.operation = 'blob'
    return handler(request, trace.record)?.then((response) => {
      const headers = { ...response.headers, [HEADERS.requestId]: request.requestId }
      return logged({ ...response, headers }, request, trace, log)
    })
  }
}
