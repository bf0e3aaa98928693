/**
 * The API as a Lambda handler behind an API Gateway REST API with proxy integration. An adapter of our own, because the rules must see what
 * the client sent: the raw path, which only the router decodes; headers with unchanged values; and a body that is decoded if and only if
 * the event marks it as base64.
 */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda'
import type { HttpRequest } from '../protocol/http-message.ts'
import { API_ROOT } from '../protocol/routes.ts'
import type { Api } from './api.ts'

export type LambdaHandler = (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>

/** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html */
export const lambdaHandler =
  (api: Api): LambdaHandler =>
  async (event) => {
    const { status, headers, body } = await api.handle(apiRequest(event))
    if (body !== null && typeof body !== 'string')
      throw new TypeError('this front redirects to the bytes and cannot carry them')
    return { statusCode: status, headers, body: body ?? '', isBase64Encoded: false }
  }

function apiRequest(event: APIGatewayProxyEvent): HttpRequest {
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  const headers = headersOf(event)
  return {
    method: event.httpMethod,
    target: `${pathOf(event)}${queryOf(event)}`,
    headers: { get: (name) => headers.get(name.toLowerCase())?.join(', ') ?? null },
    size: body.byteLength,
    body: async function* () {
      if (body.byteLength > 0) yield body
    },
    requestId: event.requestContext.requestId,
    // Only relative URLs need it, and the stores of this front return absolute ones. Not every gateway sends its name.
    origin: `https://${event.requestContext.domainName || 'unknown.invalid'}`,
  }
}

/**
 * The path as the client sent it. A REST API passes `event.path` still encoded; whether the values of `pathParameters` are decoded
 * varies. The path lacks the stage, which is the API's root. With a custom domain it begins with the base path that is mapped to the
 * stage, and then has as many segments as the path of the request context, which always has one of the two.
 */
function pathOf({ path, requestContext }: APIGatewayProxyEvent): string {
  if (path === '/') return API_ROOT
  const depth = (text: string) => text.split('/').length
  return depth(path) === depth(requestContext.path) ? path : `${API_ROOT}${path}`
}

function queryOf(event: APIGatewayProxyEvent): string {
  const pairs = Object.entries(event.multiValueQueryStringParameters ?? {}).flatMap(([name, values]) =>
    (values ?? []).map((value): [string, string] => [name, value]),
  )
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}

/** By lower-case name: the gateway keeps the case that the client used. */
function headersOf(event: APIGatewayProxyEvent): Map<string, readonly string[]> {
  const headers = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(event.headers ?? {}))
    if (value !== undefined) headers.set(name.toLowerCase(), [value])
  for (const [name, values] of Object.entries(event.multiValueHeaders ?? {}))
    if (values !== undefined) headers.set(name.toLowerCase(), values)
  return headers
}
