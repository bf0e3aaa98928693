/**
 * Events as an API Gateway REST API that treats every media type as binary sends them to a Lambda (proxy integration, payload 1.0):
 * path parameters decoded once, the path without its stage, headers in the case that the client used, every body base64.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-input-format
 */
import { randomUUID } from 'node:crypto'
import type { APIGatewayProxyEvent } from 'aws-lambda'
import { API_ROOT, ROUTES, type RouteName } from '../../lib/protocol/routes.ts'

export interface GatewayRequest {
  readonly route: RouteName
  readonly parameters?: Readonly<Record<string, string>>
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, readonly string[]>>
  readonly body?: Uint8Array
  /** The encoding of the body: base64 always, or text, as an emulator or other media types decide. */
  readonly encoding?: 'base64' | 'text'
}

/** The largest event that Lambda accepts for a synchronous call, in bytes of JSON. */
export const MAX_EVENT_BYTES = 6_291_556

export function gatewayEvent(request: GatewayRequest): APIGatewayProxyEvent {
  const { path: resource, method } = ROUTES[request.route]
  const parameters = request.parameters ?? {}
  const path = resource.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''))
  const headers = { Host: 'abc.execute-api.eu-west-1.amazonaws.com', ...request.headers }
  const query = request.query ?? {}
  const body = request.body && Buffer.from(request.body)
  const isBase64Encoded = body !== undefined && request.encoding !== 'text'
  const httpMethod = request.method ?? method
  const last = (values: readonly string[]) => values.at(-1) ?? ''
  return {
    resource: resource === '' ? '/' : resource,
    path: path === '' ? '/' : path,
    httpMethod,
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    queryStringParameters: Object.fromEntries(
      Object.entries(query).map(([name, values]) => [name, last(values)]),
    ),
    multiValueQueryStringParameters: Object.fromEntries(
      Object.entries(query).map(([name, values]) => [name, [...values]]),
    ),
    pathParameters: Object.keys(parameters).length === 0 ? null : { ...parameters },
    stageVariables: null,
    requestContext: {
      accountId: '123456789012',
      apiId: 'abc',
      authorizer: undefined,
      protocol: 'HTTP/1.1',
      httpMethod,
      path: `${API_ROOT}${path}`,
      stage: API_ROOT.slice(1),
      requestId: randomUUID(),
      requestTimeEpoch: 0,
      resourceId: 'xyz',
      resourcePath: resource,
      domainName: 'abc.execute-api.eu-west-1.amazonaws.com',
      // The functions do not read the caller's identity, because access is the gateway's duty.
      identity: {
        accessKey: null,
        accountId: null,
        apiKey: null,
        apiKeyId: null,
        caller: null,
        clientCert: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: '192.0.2.1',
        user: null,
        userAgent: null,
        userArn: null,
      },
    },
    body: body === undefined ? null : isBase64Encoded ? body.toString('base64') : body.toString('utf8'),
    isBase64Encoded,
  }
}
