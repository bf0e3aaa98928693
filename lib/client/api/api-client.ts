/**
 * Requests to one API: its root, authorization, retries and refusals. Paths of the routes table and those returned by the server (`/v1/…`)
 * are resolved relative to the caller's root, at any mount point.
 */

import { BucketError, isBucketError } from '../../domain/errors.ts'
import { HEADERS } from '../../protocol/headers.ts'
import { API_ROOT } from '../../protocol/routes.ts'
import type { Platform } from '../platform.ts'
import type { Source } from '../transfer/source.ts'
import type { Authorizer } from './auth.ts'
import { type JsonObject, readJson } from './decode.ts'
import { decodeProblem } from './decode-problem.ts'
import type { OnEvent } from './events.ts'
import { NetworkError, shownUrl } from './network-error.ts'
import { type RetryPolicy, retrying, TransferPatience } from './retry.ts'
import type { IncomingResponse, OutgoingRequest, Timeouts } from './transport.ts'

export interface ApiClientOptions {
  readonly root: URL
  readonly platform: Platform
  readonly authorize: Authorizer
  /** True when authorization adds something to a request. */
  readonly authorizes: boolean
  readonly retry: RetryPolicy
  readonly timeouts: Timeouts
  readonly onEvent: OnEvent
}

export interface ApiRequest {
  readonly method: string
  /** As in the routes table: with `API_ROOT`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: { readonly source: Source; readonly sha256: string; onSent?(bytes: number): void }
  /** The statuses that are not errors. */
  readonly accept: readonly number[]
  readonly signal?: AbortSignal | undefined
  /** Whether bytes of the same transfer moved before, so that an outage of minutes must not end it. */
  readonly isInTransfer?: boolean
}

export interface ApiClient extends Omit<ApiClientOptions, 'authorize' | 'root'> {
  /** One attempt. @throws BucketError or NetworkError for every status but the accepted ones. */
  attempt(request: ApiRequest): Promise<IncomingResponse>
  /** As many attempts as the policy allows. The body of the response is a JSON object. */
  json(request: ApiRequest): Promise<JsonObject>
  /**
   * One GET of an address from the server, with these headers and no others. Only a path, which is this API's own, is authorized like any
   * request to it; an absolute address gets nothing of the caller's.
   */
  follow(
    address: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<IncomingResponse>
  /**
   * Sends a body with a presigned request of the server, unchanged. Such a request carries its own permission, so it gets none of the
   * caller's.
   */
  sendPresigned(
    request: Presigned,
    body: Source,
    onSent: ((bytes: number) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<IncomingResponse>
}

/** A presigned request of the server, to be sent unchanged (docs/http-api.md, section 7.1). */
export interface Presigned {
  readonly method: string
  /** Absolute, or a path on the api. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * @returns a client of the API at `root`. It sends no request yet.
 *
 * @example
 * const api = createApiClient({ root, platform, authorize, authorizes: false, retry: DEFAULT_RETRY, timeouts: DEFAULT_TIMEOUTS })
 * const entry = decodeEntry(await api.json({ method: 'GET', path: entryPath(ref), accept: [200] }))
 */
export function createApiClient({ root, authorize, ...options }: ApiClientOptions): ApiClient {
  const { platform, timeouts, onEvent } = options
  const base = new URL(root.href)
  let prefix = base.pathname.replace(/\/+$/, '')
  /** An address without `/v1` may be that of the server instead of the API: then that is tried too, once. */
  const isGuessed = !prefix.endsWith(API_ROOT)
  let versioned: Promise<boolean> | undefined

  const rooted = (path: string): URL => new URL(`${base.origin}${prefix}${path.slice(API_ROOT.length)}`)
  const located = (address: string): URL =>
    isUnder(API_ROOT, address) ? rooted(address) : parseUrl(address, base)

  /** Milliseconds since the epoch, by the last response of the API. */
  let serverTime = Number.NaN

  async function exchange(request: Omit<OutgoingRequest, 'timeouts'>): Promise<IncomingResponse> {
    const { method, url } = request
    const began = performance.now()
    const shared = () => ({ method, url: shownUrl(url), ms: Math.round(performance.now() - began) })
    try {
      const response = await platform.transport.send({ ...request, timeouts })
      const requestId = response.headers.get(HEADERS.requestId) ?? undefined
      const respondedAt = Date.parse(response.headers.get('date') ?? '')
      onEvent({ kind: 'response', ...shared(), status: response.status, requestId, serverTime: respondedAt })
      return response
    } catch (error) {
      onEvent({ kind: 'failure', ...shared(), error })
      throw error
    }
  }

  async function attempt(request: ApiRequest): Promise<IncomingResponse> {
    try {
      return await attemptOnce(request)
    } catch (error) {
      if (await isFixed(error, request.signal)) return await attemptOnce(request)
      throw isGuessed && isBucketError(error, 'forbidden') ? withRootAdvice(error) : error
    }
  }

  /** Corrects what a refusal shows to be wrong here: the root of the API, or the clock that signatures are made with. */
  async function isFixed(error: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    if (isBucketError(error, 'forbidden') && authorize.correctClock(serverTime)) {
      onEvent({ kind: 'clock', aheadMs: Date.now() - serverTime })
      return true
    }
    const isElsewhere =
      isBucketError(error, 'route_not_found') ||
      // API Gateway refuses unknown paths and stages with 403.
      isBucketError(error, 'forbidden') ||
      (error instanceof NetworkError && (error.status === 404 || error.status === 200))
    if (!isGuessed || !isElsewhere) return false
    versioned ??= tryVersioned(signal)
    return await versioned
  }

  async function tryVersioned(signal: AbortSignal | undefined): Promise<boolean> {
    const given = prefix
    prefix += API_ROOT
    const request = { method: 'GET', path: API_ROOT, accept: [200], signal }
    const service = await attemptOnce(request).catch(() => undefined)
    service?.discard()
    if (!service) prefix = given
    return service !== undefined
  }

  async function attemptOnce(request: ApiRequest): Promise<IncomingResponse> {
    const { method, body, signal } = request
    const url = rooted(request.path)
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value)
    const headers = await authorize.headers({
      method,
      url,
      headers: request.headers ?? {},
      bodySha256: body?.sha256,
    })
    const response = await exchange({
      method,
      url,
      headers,
      body: body?.source,
      onSent: body?.onSent,
      signal,
    })
    serverTime = Date.parse(response.headers.get('date') ?? '')
    if (request.accept.includes(response.status)) {
      if (request.path !== API_ROOT || !isPage(response)) return response
      response.discard()
      const message = `${shownUrl(url)} answered with a web page. Is this a Bucket API?`
      throw new NetworkError('unexpected_response', message, { status: response.status })
    }
    throw await decodeProblem(response, shownUrl(url), timeouts)
  }

  return {
    ...options,
    attempt,
    json: (request) =>
      retrying(
        options,
        request.signal,
        async () => await readJson(await attempt(request), timeouts),
        new TransferPatience(options.retry, { hasMoved: request.isInTransfer === true }),
      ),
    async follow(address, headers, signal) {
      const url = located(address)
      // What looks like a path may name a host: the URL standard reads `/\host` and `/<tab>/host` like `//host`.
      const onFront = address.startsWith('/') && url.origin === base.origin
      const method = 'GET'
      return await exchange({
        method,
        url,
        headers: onFront ? await authorize.headers({ method, url, headers }) : headers,
        signal,
      })
    },
    async sendPresigned({ method, url, headers }, body, onSent, signal) {
      return await exchange({ method, url: located(url), headers, body, onSent, signal })
    },
  }
}

/** API Gateway answers a wrong path as it answers wrong credentials. */
const withRootAdvice = ({ message, details, requestId }: BucketError<'forbidden'>) =>
  new BucketError('forbidden', message, details, {
    next: 'Check the credentials, and that the address is the root of the API with its stage: https://ID.execute-api.REGION.amazonaws.com/v1.',
    ...(requestId !== undefined && { requestId }),
  })

/** A server has a page for people at its own address, which is not the root of its API. */
const isPage = ({ headers }: IncomingResponse): boolean =>
  /^text\/html\b/i.test(headers.get('content-type') ?? '')

const isUnder = (root: string, path: string): boolean =>
  path.startsWith(root) && /^([/?#]|$)/.test(path.slice(root.length))

function parseUrl(address: string, base: URL): URL {
  if (!URL.canParse(address, base.href))
    throw new NetworkError('unexpected_response', 'the server sent an invalid address')
  return new URL(address, base.href)
}

/**
 * @param url the root, `…/v1`, of http or https.
 * @throws TypeError for another address, and for one with credentials, a query or a fragment, which the message leaves out.
 */
export function apiRoot(url: string | URL): URL {
  const root = new URL(String(url))
  const refuse = (what: string) =>
    new TypeError(`the address of the API ${what}: give its root alone, as in https://artifacts.example/v1`)
  if (root.protocol !== 'http:' && root.protocol !== 'https:')
    throw refuse('must start with http:// or https://')
  if (root.username !== '' || root.password !== '')
    throw refuse('holds credentials, which belong to the authorization')
  if (root.search !== '') throw refuse('has a query, which no request would repeat')
  if (root.hash !== '') throw refuse('has a fragment, which no request would repeat')
  return root
}
