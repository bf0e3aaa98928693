/** Requests that a store answers beside the API get their request id and their line in the operation log too. */
import { HEADERS } from '../../protocol/headers.ts'
import type { HttpRequest, HttpResponse } from '../../protocol/http-message.ts'
import { logged } from '../logged-body.ts'
import { Operation, type OperationLog, type OperationRecord } from '../operation.ts'

/** Answers a path of its own, and notes for the log what the request is about; undefined for any other path. */
export type NotingHandler = (
  request: HttpRequest,
  notes: Partial<OperationRecord>,
) => Promise<HttpResponse> | undefined

/** Makes of a store's endpoint what `ServerOptions.beside` takes. */
export function loggedBeside(handler: NotingHandler, log: OperationLog) {
  return (request: HttpRequest): Promise<HttpResponse> | undefined => {
    const operation = new Operation(request)
    operation.record.operation = 'blob'
    return handler(request, operation.record)?.then((response) => {
      const headers = { ...response.headers, [HEADERS.requestId]: request.requestId }
      return logged({ ...response, headers }, request, operation, log)
    })
  }
}
