/** Writes a request's line in the operation log when its response is complete: at once, or after the last byte of the body. */
import { isPourable, type Pourable } from '../flow/pourable.ts'
import type { HttpRequest, HttpResponse } from '../protocol/http-message.ts'
import type { OperationLog, OperationRecord, RepeatedLine, RequestTrace, Varying } from './request-context.ts'
import { timestampNow } from './time-texts.ts'

export function logged(
  response: HttpResponse,
  request: HttpRequest,
  trace: RequestTrace,
  log: OperationLog,
): HttpResponse {
  const write = () => writeLine(log, request, response.status, trace)
  const { body } = response
  if (body === null || typeof body === 'string') {
    write()
    return response
  }
  return { ...response, body: counted(body, Number(response.headers['Content-Length']), trace, write) }
}

/** Writes the line of a request that is complete. */
export function writeLine(
  log: OperationLog,
  { requestId, method }: Pick<HttpRequest, 'requestId' | 'method'>,
  status: number,
  trace: RequestTrace,
): void {
  log(lineOf({ time: timestampNow(), requestId, durationMs: trace.elapsed }, method, status, trace.record))
}

/** Prepares the lines of requests that have everything but these members in common. */
export function repeatedLine(
  log: OperationLog,
  method: string,
  status: number,
  record: Partial<OperationRecord>,
): RepeatedLine {
  const recordOf = (varying: Pick<OperationRecord, Varying>) => lineOf(varying, method, status, record)
  return (
    log.repeated?.(recordOf) ??
    ((time, requestId, durationMs) => log(recordOf({ time, requestId, durationMs })))
  )
}

const lineOf = (
  { time, requestId, durationMs }: Pick<OperationRecord, Varying>,
  method: string,
  status: number,
  record: Partial<OperationRecord>,
): OperationRecord =>
  Object.assign({ time, requestId, operation: 'unknown' as const, method, status, durationMs }, record)

/** @param size of the body in bytes. A receiver that has all of them may disconnect before the front has seen the end. */
function counted(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
  trace: RequestTrace,
  write: () => void,
): AsyncIterable<Uint8Array> | Pourable {
  let sent = 0
  const fail = (error: unknown): never => {
    if (sent !== size) trace.record.error = error instanceof Error ? error.message : String(error)
    throw error
  }
  const finish = () => {
    trace.record.bytesSent = sent
    if (sent !== size) trace.record.aborted = true
    write()
  }
  async function* iterate() {
    try {
      for await (const chunk of bytes) {
        yield chunk
        sent += chunk.byteLength
      }
    } catch (error) {
      fail(error)
    } finally {
      finish()
    }
  }
  if (!isPourable(bytes)) return iterate()
  return {
    [Symbol.asyncIterator]: iterate,
    pour: (writeChunk: (chunk: Uint8Array) => Promise<void>) =>
      bytes
        .pour(async (chunk) => {
          await writeChunk(chunk)
          sent += chunk.byteLength
        })
        .catch(fail)
        .finally(finish),
  }
}
