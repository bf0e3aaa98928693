/**
 * The OpenAPI 3.1 document, made from the routes table, the error table and the schemas that requests are validated with. Which
 * answers and errors a route has stands here; the contract suite compares real answers with it.
 */
import * as z from 'zod/mini'
import { TEXT_LIMITS, TEXT_PATTERN } from '../domain/description.ts'
import { DIGEST_PATTERN } from '../domain/digest.ts'
import { ERRORS, type ErrorCode } from '../domain/errors.ts'
import { IDENTIFIER_PATTERN } from '../domain/identifiers.ts'
import { DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT } from '../domain/limits.ts'
import { HEADERS } from '../protocol/headers.ts'
import {
  beginUploadBody,
  downloadMessage,
  entrySchema,
  healthMessage,
  problemPage,
  problemPages,
  problemSchema,
  serviceMessage,
  uploadPartsBody,
  uploadPartsMessage,
  uploadSchema,
  versionsPage,
} from '../protocol/messages.ts'
import { API_ROOT, ROUTES, type RouteName } from '../protocol/routes.ts'
import {
  BYTES_HEADERS,
  DIGEST_HEADERS,
  type HeaderName,
  headerComponents,
  headersOf,
  headersOfProblems,
} from './openapi-headers.ts'

const SCHEMAS = {
  Entry: entrySchema,
  VersionsPage: versionsPage,
  Download: downloadMessage,
  Upload: uploadSchema,
  BeginUpload: beginUploadBody,
  UploadPartsRequest: uploadPartsBody,
  UploadParts: uploadPartsMessage,
  Service: serviceMessage,
  Health: healthMessage,
  Problem: problemSchema,
  ProblemPage: problemPage,
  ProblemPages: problemPages,
}
type SchemaName = keyof typeof SCHEMAS
type Answer = SchemaName | 'bytes' | 'none' | 'any'
/** Answers that a browser gets as a page. */
const PAGES: ReadonlySet<Answer> = new Set<Answer>(['ProblemPage', 'ProblemPages'])

interface Description {
  readonly summary: string
  readonly answers: Readonly<Record<number, Answer>>
  /** By status, beside those of every answer. */
  readonly headers?: Readonly<Record<number, readonly HeaderName[]>>
  readonly errors: readonly ErrorCode[]
  readonly body?: SchemaName | 'bytes'
  readonly parameters?: readonly object[]
}

const parameter = (place: 'query' | 'header', name: string, schema: object, required = false) => ({
  in: place,
  name,
  required,
  schema,
})
const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength, pattern: TEXT_PATTERN })
const digestQuery = parameter('query', 'digest', { type: 'string', pattern: DIGEST_PATTERN })
const conditions = (...names: string[]) => names.map((name) => parameter('header', name, { type: 'string' }))
const DATES = ['If-Modified-Since', 'If-Unmodified-Since']

/** What any request may meet: here, or at a gateway before. */
const ALWAYS: readonly ErrorCode[] = [
  'invalid_request',
  'unauthorized',
  'forbidden',
  'request_timeout',
  'uri_too_long',
  'host_not_allowed',
  'throttled',
  'headers_too_large',
  'internal',
  'unavailable',
]
/** What any request that writes may meet. */
const WRITING: readonly ErrorCode[] = ['insufficient_storage']

const DESCRIPTIONS: { readonly [N in RouteName]: Description } = {
  service: { summary: 'What this service is and takes', answers: { 200: 'Service' }, errors: [] },
  health: { summary: 'Whether the stores answer', answers: { 200: 'Health' }, errors: [] },
  openapi: { summary: 'This document', answers: { 200: 'any' }, errors: [] },
  problems: { summary: 'What every error means', answers: { 200: 'ProblemPages' }, errors: [] },
  problem: {
    summary: 'What one error means and what to do',
    answers: { 200: 'ProblemPage' },
    errors: ['route_not_found'],
  },
  listVersions: {
    summary: 'List the versions of one artifact',
    answers: { 200: 'VersionsPage' },
    errors: [],
    parameters: [
      parameter('query', 'limit', {
        type: 'integer',
        minimum: 1,
        maximum: MAX_PAGE_LIMIT,
        default: DEFAULT_PAGE_LIMIT,
      }),
      parameter('query', 'cursor', { type: 'string', minLength: 1 }),
    ],
    headers: { 200: ['Link'] },
  },
  store: {
    summary: 'Store the body under this reference, once and for ever',
    answers: { 201: 'Entry' },
    errors: [
      'unsupported_content_encoding',
      'artifact_too_large',
      'inline_too_large',
      'version_exists',
      'precondition_failed',
      'digest_mismatch',
    ],
    headers: { 201: ['Location', ...DIGEST_HEADERS] },
    body: 'bytes',
    parameters: [
      parameter('header', HEADERS.artifactDigest, { type: 'string', pattern: DIGEST_PATTERN }),
      parameter('header', HEADERS.reprDigest, { type: 'string' }),
      parameter('header', HEADERS.uploadedBy, text(TEXT_LIMITS.uploaded_by)),
      parameter('header', HEADERS.provenanceSource, text(TEXT_LIMITS.provenance_source)),
      parameter('header', 'If-None-Match', { type: 'string', enum: ['*'] }),
    ],
  },
  fetch: {
    summary: 'Fetch the bytes',
    answers: { 200: 'bytes', 206: 'bytes', 304: 'none', 307: 'none' },
    errors: ['version_not_found', 'digest_differs', 'precondition_failed', 'range_not_satisfiable'],
    parameters: [digestQuery, ...conditions('Range', 'If-None-Match', 'If-Match', 'If-Range', ...DATES)],
    headers: {
      200: BYTES_HEADERS,
      206: [...BYTES_HEADERS, 'Content-Range'],
      304: BYTES_HEADERS,
      307: ['Location', HEADERS.artifactDigest, HEADERS.artifactSize],
    },
  },
  head: {
    summary: 'The headers of the bytes',
    answers: { 200: 'none', 304: 'none' },
    errors: ['version_not_found', 'digest_differs', 'precondition_failed'],
    parameters: [digestQuery, ...conditions('If-None-Match', 'If-Match', ...DATES)],
    headers: { 200: BYTES_HEADERS, 304: BYTES_HEADERS },
  },
  entry: { summary: 'The entry', answers: { 200: 'Entry' }, errors: ['version_not_found'] },
  download: {
    summary: 'Where the bytes are',
    answers: { 200: 'Download' },
    errors: ['version_not_found', 'digest_differs'],
    parameters: [digestQuery],
  },
  beginUpload: {
    summary: 'Begin an upload, or find it again',
    answers: { 200: 'Upload', 201: 'Upload' },
    errors: ['unsupported_content_encoding', 'artifact_too_large', 'version_exists', 'upload_conflict'],
    body: 'BeginUpload',
    headers: { 201: ['Location'] },
  },
  uploadState: {
    summary: 'The state of an upload',
    answers: { 200: 'Upload' },
    errors: ['upload_not_found'],
  },
  uploadParts: {
    summary: 'Requests for parts',
    answers: { 200: 'UploadParts' },
    errors: ['unsupported_content_encoding', 'upload_not_found', 'upload_conflict'],
    body: 'UploadPartsRequest',
  },
  commitUpload: {
    summary: 'Finish an upload',
    answers: { 200: 'Entry', 201: 'Entry', 202: 'Upload' },
    errors: ['upload_not_found', 'upload_incomplete', 'version_exists', 'digest_mismatch'],
    headers: {
      200: ['Location', ...DIGEST_HEADERS],
      201: ['Location', ...DIGEST_HEADERS],
      202: ['Location', 'Retry-After'],
    },
  },
  giveUpUpload: {
    summary: 'Give an upload up',
    answers: { 204: 'none' },
    errors: ['upload_not_found', 'upload_conflict'],
  },
}

const reference = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` })

const content = (answer: Answer) => {
  if (answer === 'none') return {}
  if (answer === 'bytes') return { content: { '*/*': { schema: {} } } }
  const json = { 'application/json': { schema: answer === 'any' ? { type: 'object' } : reference(answer) } }
  return { content: PAGES.has(answer) ? { ...json, 'text/html': { schema: { type: 'string' } } } : json }
}

function responses(name: RouteName) {
  const { summary, answers, errors, headers } = DESCRIPTIONS[name]
  const { method, access } = ROUTES[name]
  const byStatus: Record<string, object> = {}
  for (const [status, answer] of Object.entries(answers))
    byStatus[status] = {
      description: summary,
      headers: headersOf(headers?.[Number(status)] ?? []),
      ...content(answer),
    }
  const all = [...errors, ...ALWAYS, ...(access === 'write' ? WRITING : [])]
  const problem = { content: { 'application/problem+json': { schema: reference('Problem') } } }
  for (const status of new Set(all.map((code) => ERRORS[code].status))) {
    const codes = all.filter((code) => ERRORS[code].status === status)
    byStatus[status] = {
      description: codes.map((code) => `${code}: ${ERRORS[code].title}`).join('; '),
      headers: headersOfProblems(codes),
      ...(method === 'HEAD' ? {} : problem),
    }
  }
  return byStatus
}

function operation(name: RouteName) {
  const { summary, body, parameters } = DESCRIPTIONS[name]
  const { path } = ROUTES[name]
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameterName = '']) => ({
    in: 'path',
    name: parameterName,
    required: true,
    schema: { type: 'string', pattern: PATH_PATTERNS[parameterName] ?? IDENTIFIER_PATTERN },
  }))
  return {
    operationId: name,
    summary,
    ...(inPath.length + (parameters?.length ?? 0) > 0
      ? { parameters: [...inPath, ...(parameters ?? [])] }
      : {}),
    ...(body === undefined ? {} : { requestBody: { required: true, ...content(body) } }),
    responses: responses(name),
  }
}

const PATH_PATTERNS: Record<string, string> = { digest: DIGEST_PATTERN, code: '^[a-z_]+$' }

/** @returns the document as plain JSON. */
export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const [name, { path, method }] of Object.entries(ROUTES) as [
    RouteName,
    (typeof ROUTES)[RouteName],
  ][]) {
    paths[`${API_ROOT}${path}`] = { ...paths[`${API_ROOT}${path}`], [method.toLowerCase()]: operation(name) }
  }
  const schemas = Object.fromEntries(
    Object.entries(SCHEMAS).map(([name, schema]) => {
      const { $schema: _, ...jsonSchema } = z.toJSONSchema(schema)
      return [name, jsonSchema]
    }),
  )
  return {
    openapi: '3.1.0',
    info: {
      title: 'Bucket',
      version: 'v1',
      description:
        'A storage-only artifact repository: bytes under an exact reference, verified by SHA-256, never overwritten. Codes of problems are listed at /v1/problems.',
    },
    paths,
    components: { schemas, headers: headerComponents() },
  }
}
