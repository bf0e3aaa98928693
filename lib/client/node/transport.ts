/**
 * The transport over `node:http`. Large bodies wait for `100 Continue`, so that a refusal costs no bytes. A refusal that comes while the
 * body is being sent stops the sending and is returned as the response.
 */
import { setMaxListeners } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { rootCertificates } from 'node:tls'
import { timerMs, within } from '../../flow/abort.ts'
import { Semaphore } from '../../flow/semaphore.ts'
import { NetworkError, shownUrl } from '../api/network-error.ts'
import { type IncomingResponse, type OutgoingRequest, responseMs, type Transport } from '../api/transport.ts'
import { exactLength, type Source } from '../transfer/source.ts'
import { assertCertificates } from './certificates.ts'
import { isSystemError, networkError, UNREACHABLE } from './connection-errors.ts'
import {
  PROXY_AUTHENTICATION_REQUIRED,
  type ProxyEnvironment,
  proxiedRequest,
  proxyError,
  proxyFor,
  tunnelAgent,
} from './proxy.ts'
import { ResponseBody } from './response-body.ts'

/** Larger bodies wait for 100 Continue. */
const EXPECT_BYTES = 1024 * 1024

/**
 * Small, so that a slow connection still shows progress before the idle limit (30 s allow for 2 KiB a second), and so that a response
 * which comes with the end of the connection is seen before a large write fails.
 */
const WRITE_BYTES = 64 * 1024

/** Concurrent requests, so that a thousand calls of a program do not exhaust its file descriptors. */
const MOST_REQUESTS = 128

export interface NodeTransportOptions {
  /** Certificates in PEM form that are trusted in addition to those of Node. */
  readonly ca?: string | Buffer | undefined
  /** The environment with the addresses of proxies. */
  readonly proxyEnvironment?: ProxyEnvironment
}

/**
 * @returns a transport that sees redirects and reuses connections.
 * @throws TypeError with the code `ca_invalid` if `ca` holds no certificate, or one that cannot be read.
 */
export function nodeTransport({ ca, proxyEnvironment = {} }: NodeTransportOptions = {}): Transport {
  if (ca !== undefined) assertCertificates(ca)
  const tls = { keepAlive: true, ...(ca !== undefined && { ca: [...rootCertificates, ca] }) }
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent(tls),
  }
  const tunnels = new Map<string, https.Agent>()
  const requests = new Semaphore(MOST_REQUESTS)

  function routeTo(url: URL): Route {
    const { protocol } = url
    if (protocol !== 'http:' && protocol !== 'https:')
      throw new NetworkError('unexpected_response', `${protocol}// is not a way to reach Bucket`)
    const proxy = proxyFor(url, proxyEnvironment)
    if (proxy === undefined) return { module: protocol === 'http:' ? http : https, agent: agents[protocol] }
    if (protocol === 'http:') {
      const isPlain = proxy.protocol === 'http:'
      const through = { ...proxiedRequest(proxy, url), proxy }
      return { module: isPlain ? http : https, agent: agents[isPlain ? 'http:' : 'https:'], through }
    }
    const agent = tunnels.get(proxy.href) ?? tunnelAgent(proxy, tls)
    tunnels.set(proxy.href, agent)
    return { module: https, agent }
  }

  return {
    seesRedirects: true,
    // The limit does not cover responses: a caller may keep many of them open while it sends more requests.
    send: (request) => requests.run(request.signal, async () => await send(request, routeTo(request.url))),
  }
}

/** How a request reaches its server. */
interface Route {
  readonly module: typeof http | typeof https
  readonly agent: http.Agent
  /** A proxy, which gets the absolute address in the request line. */
  readonly through?: ReturnType<typeof proxiedRequest> & { readonly proxy: URL }
}

/** A proxy or an old server may refuse the question that goes before a large body: 417 (RFC 9110, section 15.5.18). */
const EXPECTATION_FAILED = 417

async function send(request: OutgoingRequest, route: Route): Promise<IncomingResponse> {
  const asksFirst = request.body !== undefined && request.body.size > EXPECT_BYTES
  const response = await exchange(request, route, asksFirst)
  if (!asksFirst || response.status !== EXPECTATION_FAILED) return response
  response.discard()
  return await exchange(request, route, false)
}

async function exchange(
  request: OutgoingRequest,
  { module: { request: open }, agent, through }: Route,
  asksFirst: boolean,
): Promise<IncomingResponse> {
  const { url, body, signal, timeouts } = request
  signal?.throwIfAborted()
  // One signal can end many concurrent requests; each removes its listener when it ends.
  if (signal) setMaxListeners(0, signal)
  const where = shownUrl(url)
  const outgoing = open(through?.address ?? url, {
    ...(through && { path: through.path }),
    method: request.method,
    agent,
    headers: {
      ...through?.headers,
      // A body that a proxy compressed would not be the stored bytes.
      ...(request.method === 'GET' && { 'accept-encoding': 'identity' }),
      ...request.headers,
      ...(body && { 'content-length': body.size }),
      ...(asksFirst && { expect: '100-continue' }),
    },
  })

  let hasResponse = false
  const responded = new Promise<http.IncomingMessage>((resolve, reject) => {
    outgoing.once('response', (message) => {
      hasResponse = true
      resolve(message)
    })
    // Stays for the life of the request, because a late write error after the response has no other listener.
    outgoing.on('error', reject)
  })
  responded.catch(() => {})
  const abort = () => outgoing.destroy(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const settled = () => signal?.removeEventListener('abort', abort)

  const stalled = (what: string) => () => {
    const error = new NetworkError('stalled', `${where} ${what}`)
    outgoing.destroy(error)
    return error
  }
  const translate = (error: unknown, brokeOff: string) => {
    if (signal?.aborted) return signal.reason
    if (error instanceof SourceFailure) return error.cause
    if (!isSystemError(error)) return error
    // No file descriptors are left here, which is not a network failure.
    if (error.code === 'EMFILE' || error.code === 'ENFILE') return error
    const why = UNREACHABLE[error.code ?? '']
    if (through && why !== undefined) return proxyError(through.proxy, `cannot be reached: ${why}`, error)
    return networkError(error, where, brokeOff)
  }

  try {
    if (body) {
      if (asksFirst)
        await within(
          timeouts.idleMs + timeouts.continueMs,
          mayContinue(outgoing, responded, timeouts.continueMs),
          stalled('does not take the connection'),
        )
      const sending = sendBody(outgoing, body, () => hasResponse, request, stalled)
      // The first event decides: a response ends the sending, and so does a failure of either.
      await Promise.race([sending, responded])
      sending.catch(() => {})
    } else outgoing.end()
    const message = await within(
      responseMs(timeouts, body?.size ?? 0),
      responded,
      stalled('did not answer in time'),
    )
    if (through && message.statusCode === PROXY_AUTHENTICATION_REQUIRED)
      throw proxyError(through.proxy, 'asks for other credentials')
    return response(message, outgoing, { timeouts, stalled, translate, settled })
  } catch (error) {
    settled()
    outgoing.destroy()
    throw translate(error, 'closed the connection without a response')
  }
}

/** Resolves when the body may be sent, or is no longer needed. A server that ignores Expect gets it after a moment. */
async function mayContinue(
  outgoing: http.ClientRequest,
  responded: Promise<unknown>,
  ms: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([
    new Promise((resolve) => outgoing.once('continue', resolve)),
    new Promise((resolve) => {
      outgoing.once('socket', (socket) => {
        const start = () => {
          timer = setTimeout(resolve, timerMs(ms))
        }
        if (socket.connecting) socket.once('connect', start)
        else start()
      })
    }),
    responded,
  ]).finally(() => clearTimeout(timer))
}

async function sendBody(
  outgoing: http.ClientRequest,
  body: Source,
  hasResponse: () => boolean,
  { onSent, timeouts }: OutgoingRequest,
  stalled: (what: string) => () => Error,
): Promise<void> {
  let sent = 0
  for await (const chunk of markingFailures(body)) {
    for (let at = 0; at < chunk.byteLength; at += WRITE_BYTES) {
      const piece = chunk.subarray(at, at + WRITE_BYTES)
      // Waits one turn of the event loop, which reads before it writes: a response that has arrived is seen before a write to a closed
      // connection can discard it.
      await new Promise((resolve) => setImmediate(resolve))
      if (hasResponse()) return
      const left = new Promise<void>((resolve, reject) => {
        outgoing.write(piece, (error) => (error ? reject(error) : resolve()))
      })
      await within(timeouts.idleMs, left, stalled('stopped taking the body'))
      sent += piece.byteLength
      onSent?.(sent)
    }
  }
  outgoing.end()
}

/** Distinguishes failures of the source from those of the network, because a retry does not help with an unreadable file. */
class SourceFailure extends Error {}

async function* markingFailures(body: Source): AsyncGenerator<Uint8Array, void> {
  try {
    yield* exactLength(body)
  } catch (error) {
    throw new SourceFailure('the bytes to send cannot be read', { cause: error })
  }
}

interface Exchange {
  readonly timeouts: OutgoingRequest['timeouts']
  readonly stalled: (what: string) => () => Error
  readonly translate: (error: unknown, brokeOff: string) => unknown
  readonly settled: () => void
}

function response(
  message: http.IncomingMessage,
  outgoing: http.ClientRequest,
  { timeouts, stalled, translate, settled }: Exchange,
): IncomingResponse {
  const headers = new Headers()
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2)
    headers.append(message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? '')
  return {
    status: message.statusCode ?? 0,
    headers,
    body: new ResponseBody(message, {
      idleMs: timeouts.idleMs,
      stalled: stalled('stalled in the middle of its response'),
      translate: (error) => translate(error, 'broke off its response'),
      ended(isWhole) {
        settled()
        // A connection with an incomplete request or response cannot be reused.
        if (!isWhole || !outgoing.writableFinished) outgoing.destroy()
      },
    }),
    discard() {
      settled()
      if (Number(headers.get('content-length') ?? Number.NaN) <= 64 * 1024 && outgoing.writableFinished)
        message.resume()
      else outgoing.destroy()
    },
  }
}
