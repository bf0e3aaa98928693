/** Writes a request's line in the operation log when its response is complete: at once, or after the last byte of the body. */
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import type { OperationLog, RequestTrace } from './request-context.ts'

export function logged(
  response: HttpResponse,
  request: HttpRequest,
  trace: RequestTrace,
  log: OperationLog,
): HttpResponse {
  const write = () =>
    log({
      time: new Date().toISOString(),
      requestId: request.requestId,
      operation: 'unknown',
      method: request.method,
      status: response.status,
      durationMs: trace.elapsed,
      ...trace.record,
    })
  const { body } = response
  if (body === null || typeof body === 'string') {
    write()
    return response
  }
  return { ...response, body: counted(body, Number(response.headers['Content-Length']), trace, write) }
}

/** @param size of the body in bytes. A receiver that has all of them may disconnect before the front has seen the end. */
async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
  trace: RequestTrace,
  write: () => void,
) {
  let sent = 0
  try {
    for await (const chunk of bytes) {
      yield chunk
      sent += chunk.byteLength
    }
  } catch (error) {
    if (sent !== size) trace.record.error = error instanceof Error ? error.message : String(error)
    throw error
  } finally {
    trace.record.bytesSent = sent
    if (sent !== size) trace.record.aborted = true
    write()
  }
}
