/**
 * The transport over `fetch`. It sees no redirects and cannot stream a body: bodies are sent as a Blob or as bytes, and count as sent when
 * the response arrives.
 */
import { within } from '../../flow/abort.ts'
import { NetworkError, shownUrl } from '../api/network-error.ts'
import { type IncomingResponse, type OutgoingRequest, responseMs, type Transport } from '../api/transport.ts'
import { exactLength, readStream, type Source } from '../transfer/source.ts'

/** @returns a transport that sees no redirects, so its user gets bytes by `download` (docs/http-api.md, section 5). */
export function fetchTransport(): Transport {
  return { seesRedirects: false, send }
}

async function send(request: OutgoingRequest): Promise<IncomingResponse> {
  const { url, body, signal, timeouts } = request
  const where = shownUrl(url)
  const given = new AbortController()
  const abort = () => given.abort(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  const stalled = () => {
    given.abort()
    return new NetworkError('stalled', `${where} did not answer in time`)
  }
  const translate = (error: unknown, kind: 'unreachable' | 'interrupted', what: string) => {
    if (signal?.aborted) return signal.reason
    return error instanceof NetworkError ? error : new NetworkError(kind, what, { cause: error })
  }

  const settled = () => {
    signal?.removeEventListener('abort', abort)
    given.abort()
  }

  async function fetchResponse(): Promise<Response> {
    const payload = body && (await wholeBody(body))
    const response = await within(
      responseMs(timeouts, body?.size ?? 0) + transferMs(body?.size ?? 0),
      fetch(url, {
        method: request.method,
        headers: request.headers,
        redirect: 'manual',
        credentials: 'omit',
        signal: given.signal,
        ...(payload && { body: payload }),
      }),
      stalled,
    ).catch((error) => {
      throw translate(error, 'unreachable', `${where} cannot be reached`)
    })
    if (response.type === 'opaqueredirect')
      throw new NetworkError('unexpected_response', `${where} answered with a redirect`)
    if (body) request.onSent?.(body.size)
    return response
  }

  // A signal may outlive thousands of requests, so each removes its listener.
  const response = await fetchResponse().catch((error) => {
    settled()
    throw error
  })

  async function* read() {
    if (!response.body) return settled()
    const chunks = readStream(response.body)
    try {
      for (;;) {
        const next = await within(timeouts.idleMs, chunks.next(), stalled).catch((error) => {
          throw translate(error, 'interrupted', `the response of ${where} broke off`)
        })
        if (next.done) return
        yield next.value
      }
    } finally {
      settled()
    }
  }
  return {
    status: response.status,
    headers: response.headers,
    body: read(),
    discard: settled,
  }
}

/** `fetch` does not say how far a body has got: allow for 64 KiB a second. */
const transferMs = (bytes: number): number => Math.ceil(bytes / 64)

async function wholeBody(body: Source): Promise<Blob> {
  if (body.blob?.size === body.size) return body.blob
  const parts: Uint8Array<ArrayBuffer>[] = []
  for await (const chunk of exactLength(body)) parts.push(new Uint8Array(chunk))
  return new Blob(parts)
}
