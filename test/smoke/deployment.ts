/**
 * The deployment under a smoke test, from outside: the public client, and plain requests whose path, headers and body are sent
 * exactly as given. Plain requests carry the caller's authorization unless they are sent without one.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type Auth, authForHost, authorizer } from '../../lib/client/api/auth.ts'
import { DEFAULT_TIMEOUTS } from '../../lib/client/api/transport.ts'
import { nodePlatform } from '../../lib/client/node/platform.ts'
import { BucketClient } from '../../lib/client/node.ts'
import { bytesSource } from '../../lib/client/transfer/source.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../../lib/domain/limits.ts'
import { type HeaderLines, header, headerMap, type RawResponse, sendRaw } from '../support/raw-http.ts'
import { expectSame, expectThat, Unexpected } from './report.ts'

export interface PlainRequest {
  readonly method: string
  /** Begins with `/v1`, which stands for the API root, no matter where it is mounted. */
  readonly path: string
  readonly headers?: HeaderLines
  readonly body?: Uint8Array
}

export interface Limits {
  readonly maxInlineBytes: number
  readonly maxArtifactBytes: number
}

export interface Deployment {
  readonly client: BucketClient
  readonly limits: Limits
  readonly auth: Auth['kind']
  readonly bucketId: string
  /** True for Lambda with a gateway, false for the Node server. */
  readonly isGateway: boolean
  /** True for an emulator of AWS: it ignores policies and has no payload limits. */
  readonly isEmulated: boolean
  send(request: PlainRequest): Promise<RawResponse>
  /** Sends a request without authorization, or with the given one. */
  sendAsStranger(request: PlainRequest): Promise<RawResponse>
  /** As `send`, for bodies that may be refused before all of them are sent: only the response counts. */
  sendLarge(request: PlainRequest & { readonly body: Uint8Array }): Promise<RawResponse>
  /** Sends exactly the given message to an address from the deployment. */
  follow(request: {
    method: string
    url: string
    headers: Readonly<Record<string, string>>
    body?: Uint8Array
  }): Promise<RawResponse>
}

/** @throws NetworkError or BucketError if the deployment does not describe itself. */
export async function openDeployment(
  url: string,
  given: Auth | undefined,
  apiKey: string | undefined,
  bucketId: string,
): Promise<Deployment> {
  const root = new URL(url.replace(/\/+$/, ''))
  const auth = given ?? authForHost(root)
  const platform = nodePlatform()
  const authorize = authorizer(auth, root, platform, apiKey)
  const client = new BucketClient({ url, auth, apiKey })
  const { limits } = await client.service()
  const urlOf = (path: string) => new URL(`${root.origin}${root.pathname}${path.slice('/v1'.length)}`)

  const authorized = async ({ method, path, headers = [], body }: PlainRequest) => {
    const signed = await authorize.headers({
      ...{ method, url: urlOf(path) },
      headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
      bodySha256: body && sha256(body),
    })
    const own = new Set(headers.map(([name]) => name.toLowerCase()))
    const added = Object.entries(signed).filter(([name]) => !own.has(name.toLowerCase()))
    return [...headers, ...added] satisfies HeaderLines
  }
  const sendAsStranger = (request: PlainRequest) =>
    sendRaw(root, { ...request, path: `${root.pathname}${request.path.slice('/v1'.length)}` })

  return {
    client,
    limits,
    bucketId,
    auth: auth.kind,
    isGateway: limits.maxInlineBytes === LAMBDA_MAX_INLINE_BYTES,
    isEmulated: root.pathname.includes('/_aws/'),
    sendAsStranger,
    send: async (request) => sendAsStranger({ ...request, headers: await authorized(request) }),
    async sendLarge({ body, ...request }) {
      const {
        status,
        headers,
        body: bytes,
      } = await platform.transport.send({
        method: request.method,
        url: urlOf(request.path),
        headers: Object.fromEntries(await authorized({ ...request, body })),
        body: bytesSource(body),
        timeouts: DEFAULT_TIMEOUTS,
      })
      const chunks: Uint8Array[] = []
      for await (const chunk of bytes) chunks.push(chunk)
      return { status, headers: headerMap(headers), body: Buffer.concat(chunks) }
    },
    follow({ method, url: address, headers, body }) {
      const to = new URL(address, root)
      const path = `${to.pathname}${to.search}`
      return sendRaw(to, { method, path, headers: Object.entries(headers), ...(body && { body }) })
    },
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const digestOf = (bytes: Uint8Array): string => `sha256:${sha256(bytes)}`

/** An identifier that is new in every run. */
export const freshId = (prefix: string): string => `${prefix}-${randomBytes(8).toString('hex')}`

export function jsonOf(response: RawResponse): Record<string, unknown> {
  const text = response.body.toString('utf8')
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    throw new Unexpected('a JSON body', `${response.status} with ${text.slice(0, 200) || 'no body'}`)
  }
}

export function expectStatus(response: RawResponse, ...statuses: readonly number[]): void {
  expectThat(
    statuses.includes(response.status),
    statuses.join(' or '),
    `${response.status} ${response.body.toString('utf8').slice(0, 300)}`,
  )
}

/** Checks that a refusal is a problem document as in docs/http-api.md, section 8. @returns its members. */
export function expectProblem(response: RawResponse, ...codes: readonly string[]): Record<string, unknown> {
  const type = header(response, 'Content-Type') ?? 'none'
  expectThat(
    type.startsWith('application/problem+json'),
    `${codes.join(' or ')} as application/problem+json`,
    `${response.status} with Content-Type ${type}: ${response.body.toString('utf8').slice(0, 200)}`,
  )
  const problem = jsonOf(response)
  expectThat(codes.includes(String(problem.code)), codes.join(' or '), problem)
  expectSame('the status of the problem', problem.status, response.status)
  expectThat(Boolean(problem.request_id), 'a request_id', problem)
  expectSame('X-Request-Id', header(response, 'X-Request-Id'), problem.request_id)
  return problem
}
