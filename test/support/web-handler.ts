/** The API as a web-standard `fetch` handler, for tests in this process. */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Api } from '../../lib/http/api.ts'
import type { HttpResponse } from '../../lib/protocol/http-message.ts'

/** @returns a handler of web-standard requests. A URL parser has resolved dot segments before it sees a request. */
export function webHandler(api: Api): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = new URL(request.url)
    const length = request.headers.get('Content-Length')
    const response = await api.handle({
      method: request.method,
      target: `${url.pathname}${url.search}`,
      headers: request.headers,
      size: length === null ? (request.body === null ? 0 : undefined) : Number(length),
      body: () => request.body ?? none(),
      requestId: randomUUID(),
      origin: url.origin,
      signal: request.signal,
    })
    const body = webBody(response.body)
    return new Response(body, { status: response.status, headers: response.headers })
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

/** A body that is cut off ends with an error. */
const webBody = (body: HttpResponse['body']): string | ReadableStream<Uint8Array> | null =>
  // Node's own type of a web stream and the DOM's are one at run time.
  body === null || typeof body === 'string'
    ? body
    : (Readable.toWeb(Readable.from(body)) as ReadableStream<Uint8Array>)
