/** Writes the operation's line when its answer is complete: at once, or when the last byte of the body was taken. */
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
      request_id: request.requestId,
      operation: 'unknown',
      method: request.method,
      status: response.status,
      duration_ms: trace.elapsed,
      ...trace.record,
    })
  const { body } = response
  if (body === null || typeof body === 'string') {
    write()
    return response
  }
  return { ...response, body: counted(body, Number(response.headers['Content-Length']), trace, write) }
}

/** @param size how many bytes there will be; who has them all may hang up before the front has seen the end. */
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
    trace.record.bytes_sent = sent
    if (sent !== size) trace.record.aborted = true
    write()
  }
}
