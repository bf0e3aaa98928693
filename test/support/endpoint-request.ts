/** Requests to the local blob endpoint without a socket, and its responses as web-standard `Response`s. */
import type { HttpRequest, HttpResponse } from '../../lib/protocol/http-message.ts'
import { inChunks } from './fake-artifacts.ts'

export interface EndpointRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes, or a stream of them. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
  /** Called when the endpoint asks for the body. */
  readonly onBody?: () => void
}

/** Sends a request to an endpoint that knows its path. @param target a path with its query, or a whole URL. */
export async function sendTo(
  endpoint: (request: HttpRequest) => Promise<HttpResponse> | undefined,
  target: string,
  { method = 'GET', headers = {}, body = new Uint8Array(0), signal, onBody }: EndpointRequest = {},
): Promise<Response> {
  const answer = endpoint({
    method,
    target: target.replace(/^https?:\/\/[^/]+/, ''),
    headers: new Headers(headers),
    size: body instanceof Uint8Array ? body.byteLength : undefined,
    body: () => {
      onBody?.()
      return body instanceof Uint8Array ? inChunks(body, 65_536) : body
    },
    requestId: 'request',
    origin: 'http://127.0.0.1',
    ...(signal && { signal }),
  })
  if (!answer) throw new Error(`the endpoint does not know ${target}`)
  const { status, headers: fields, body: bytes } = await answer
  return new Response(typeof bytes === 'string' || bytes === null ? bytes : webStream(bytes), {
    status,
    headers: fields,
  })
}

function webStream(bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
