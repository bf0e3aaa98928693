/** The OpenAPI 3.1 document, made from the routes, the error codes, the headers and the message schemas. */

import { DIGEST_PATTERN } from '../domain/digest.ts'
import { ERRORS, type ErrorCode } from '../domain/errors.ts'
import { IDENTIFIER_PATTERN } from '../domain/identifiers.ts'
import { ERROR_STATUS } from '../protocol/errors.ts'
import { HEADERS, MEDIA_TYPES } from '../protocol/headers.ts'
import { HEADER_INPUTS, QUERY } from '../protocol/inputs.ts'
import { MESSAGE_SCHEMAS } from '../protocol/message-schemas.ts'
import { PROBLEM_TEXTS } from '../protocol/problem-texts.ts'
import {
  COMMON_HEADERS,
  type JsonSchema,
  RESPONSE_HEADERS,
  type ResponseHeaderName,
} from '../protocol/response-headers.ts'
import {
  API_ROOT,
  type Content,
  ERROR_HEADERS,
  errorsOf,
  ROUTES,
  type RouteDescriptor,
  type RouteName,
} from '../protocol/routes.ts'

const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[]

const reference = (kind: 'schemas' | 'headers' | 'responses', name: string) => ({
  $ref: `#/components/${kind}/${name}`,
})

/** The form of what a path names. */
const PATH_PATTERNS: Readonly<Record<string, string>> = { digest: DIGEST_PATTERN, code: '^[a-z_]+$' }

const TAGS = {
  service: 'What this service is and how it is doing',
  artifacts: 'Stored artifacts',
  uploads: 'Uploads, for artifacts that one request cannot carry',
} as const satisfies Record<RouteDescriptor['tag'], string>

function content(body: Content, isPage = false): object {
  if (body === 'bytes')
    return { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }
  const schema = body === 'json' ? { type: 'object' } : reference('schemas', body)
  return {
    [MEDIA_TYPES.json]: { schema },
    ...(isPage ? { 'text/html': { schema: { type: 'string' } } } : {}),
  }
}

const headers = (names: readonly ResponseHeaderName[]): object =>
  Object.fromEntries(names.map((name) => [name, reference('headers', name)]))

/** The response with any of these codes, which share one status. */
const refusal = (codes: readonly ErrorCode[]): object => ({
  description: codes.map((code) => `${code}: ${PROBLEM_TEXTS[code].title}`).join('; '),
  headers: headers([...COMMON_HEADERS, ...new Set(codes.flatMap((code) => ERROR_HEADERS[code] ?? []))]),
  content: { [MEDIA_TYPES.problem]: { schema: reference('schemas', 'Problem') } },
})

function responses(name: RouteName): object {
  const route: RouteDescriptor = ROUTES[name]
  const byStatus: Record<string, object> = {}
  for (const [status, { content: body, headers: own = [], page }] of Object.entries(route.responses))
    byStatus[status] = {
      description: route.summary,
      headers: headers([...COMMON_HEADERS, ...own]),
      ...(body && { content: content(body, page) }),
    }
  const errors = errorsOf(name)
  for (const status of new Set(errors.map((code) => ERROR_STATUS[code]))) {
    const codes = errors.filter((code) => ERROR_STATUS[code] === status)
    const [only, ...others] = codes
    byStatus[status] =
      only !== undefined && others.length === 0 ? reference('responses', only) : refusal(codes)
  }
  return byStatus
}

function parameters({ path, query = [], headers: inputs = [] }: RouteDescriptor): object[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    in: 'path',
    name,
    required: true,
    schema: { type: 'string', pattern: PATH_PATTERNS[name] ?? IDENTIFIER_PATTERN },
  }))
  const inQuery = query.map((name) => ({ in: 'query', name, required: false, schema: QUERY[name] }))
  const inHeaders = inputs
    .flatMap((input) => Object.entries<JsonSchema>(HEADER_INPUTS[input]))
    // The media type of the body says it: OpenAPI ignores a parameter of this name.
    .filter(([name]) => name !== 'Content-Type')
    .map(([name, schema]) => ({ in: 'header', name, required: false, schema }))
  return [...inPath, ...inQuery, ...inHeaders]
}

function operation(name: RouteName): object {
  const route: RouteDescriptor = ROUTES[name]
  const given = parameters(route)
  return {
    operationId: name,
    tags: [route.tag],
    summary: route.summary,
    ...(given.length > 0 && { parameters: given }),
    ...(route.body && { requestBody: { required: true, content: content(route.body) } }),
    responses: responses(name),
  }
}

function paths(): object {
  const byPath: Record<string, Record<string, object>> = {}
  for (const [name, { path, method }] of Object.entries(ROUTES) as [RouteName, RouteDescriptor][])
    byPath[`${API_ROOT}${path}`] = {
      ...byPath[`${API_ROOT}${path}`],
      [method.toLowerCase()]: operation(name),
    }
  return byPath
}

const headerComponents = () =>
  Object.fromEntries(
    Object.entries(RESPONSE_HEADERS).map(([name, { schema, description, required }]) => [
      name,
      { description, required, schema },
    ]),
  )

/**
 * The credentials that a deployment can require (docs/deployment.md, Settings). The document is the same for all of them: the gateway
 * alone knows which it requires.
 */
const SECURITY_SCHEMES = {
  iam: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'AWS Signature Version 4 for execute-api',
    'x-amazon-apigateway-authtype': 'awsSigv4',
  },
  bearer: { type: 'http', scheme: 'bearer', description: 'a token that the deployment issues' },
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: HEADERS.apiKey,
    description: "a key of the gateway's usage plan, alone or in addition to the others",
  },
}

/**
 * @param origin scheme and authority of this server, as the client used them; absent in a copy that belongs to no server.
 * @returns the document as plain JSON.
 */
export const openApiDocument = (origin?: string): object => ({
  openapi: '3.1.0',
  info: {
    title: 'Bucket',
    version: 'v1',
    description:
      'A storage-only artifact repository: bytes under an exact reference, verified by SHA-256, never overwritten. ' +
      `${ERROR_CODES.length} error codes are explained at ${API_ROOT}${ROUTES.problems.path}.`,
  },
  ...(origin !== undefined && { servers: [{ url: origin }] }),
  // Any one of these, or none: a local server asks for no credentials.
  security: [{}, ...Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] }))],
  tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
  paths: paths(),
  components: {
    schemas: MESSAGE_SCHEMAS,
    responses: Object.fromEntries(ERROR_CODES.map((code) => [code, refusal([code])])),
    headers: headerComponents(),
    securitySchemes: SECURITY_SCHEMES,
  },
})
