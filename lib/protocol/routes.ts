/**
 * The contract of every route, as data. The router, request parsing, the handlers' types, the gateway, the client and the
 * OpenAPI document derive from this table. `access` picks the Lambda function that answers, and so the role that it runs with.
 */

import type { Digest } from '../domain/digest.ts'
import type { ErrorCode } from '../domain/errors.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'
import { HEADERS } from './headers.ts'
import type { HeaderInput, QueryName } from './inputs.ts'
import type { MessageValues } from './messages.ts'
import type { ResponseHeaderName } from './response-headers.ts'

export type Access = 'read' | 'write'
export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'

/** What a response carries: a message, the bytes of an artifact, or any JSON object. */
export type Content = keyof MessageValues | 'bytes' | 'json'

export interface ResponseDescriptor {
  /** Absent where the response has no body. */
  readonly content?: Content
  /** Besides those of every response. */
  readonly headers?: readonly ResponseHeaderName[]
  /** Whether a client that accepts `text/html` gets a page instead of JSON. */
  readonly page?: true
}

export interface RouteDescriptor {
  readonly method: Method
  /** Below `API_ROOT`; the empty path is the root itself. Parameters in it name the subject of the request. */
  readonly path: string
  readonly access: Access
  readonly tag: 'service' | 'artifacts' | 'uploads'
  readonly summary: string
  readonly query?: readonly QueryName[]
  readonly headers?: readonly HeaderInput[]
  readonly body?: keyof MessageValues | 'bytes'
  /** The successful responses, by status. */
  readonly responses: { readonly [status: number]: ResponseDescriptor }
  /** Besides `COMMON_ERRORS`, and `WRITE_ERRORS` where access is write. */
  readonly errors?: readonly ErrorCode[]
}

/** The path under which the whole API stands, and the name of the gateway's stage. */
export const API_ROOT = '/v1'

const VERSIONS = '/buckets/{bucket_id}/artifacts/{artifact_id}/versions'
const VERSION = `${VERSIONS}/{version}` as const
const UPLOAD = `${VERSION}/uploads/{digest}` as const

/** `Repr-Digest` is not among them: it would be the digest of the JSON (RFC 9530, section 3). */
const DIGEST_HEADERS = ['ETag', HEADERS.artifactDigest] as const
const ARTIFACT_HEADERS = [
  ...DIGEST_HEADERS,
  HEADERS.reprDigest,
  HEADERS.artifactRef,
  HEADERS.artifactSize,
  'Accept-Ranges',
  'Last-Modified',
  'Content-Disposition',
  'Content-Security-Policy',
] as const
const ENTRY = { content: 'Entry', headers: ['Location', ...DIGEST_HEADERS] } as const

export const ROUTES = {
  service: {
    method: 'GET',
    path: '',
    access: 'read',
    tag: 'service',
    summary: 'Describe this service and its limits',
    responses: { 200: { content: 'Service' } },
  },
  health: {
    method: 'GET',
    path: '/health',
    access: 'read',
    tag: 'service',
    summary: 'Check that the stores answer',
    responses: { 200: { content: 'Health' } },
  },
  openapi: {
    method: 'GET',
    path: '/openapi.json',
    access: 'read',
    tag: 'service',
    summary: 'Get this document',
    responses: { 200: { content: 'json' } },
  },
  problems: {
    method: 'GET',
    path: '/problems',
    access: 'read',
    tag: 'service',
    summary: 'Explain every error code',
    responses: { 200: { content: 'ProblemPages', page: true } },
  },
  problem: {
    method: 'GET',
    path: '/problems/{code}',
    access: 'read',
    tag: 'service',
    summary: 'Explain one error code and what to do',
    responses: { 200: { content: 'ProblemPage', page: true } },
    errors: ['route_not_found'],
  },
  listVersions: {
    method: 'GET',
    path: VERSIONS,
    access: 'read',
    tag: 'artifacts',
    summary: 'List the versions of one artifact',
    query: ['limit', 'cursor'],
    responses: { 200: { content: 'VersionsPage', headers: ['Link'] } },
  },
  store: {
    method: 'PUT',
    path: VERSION,
    access: 'write',
    tag: 'artifacts',
    summary: 'Store the request body under this reference, permanently',
    headers: ['declaredDigest', 'description', 'onlyIfAbsent'],
    body: 'bytes',
    responses: { 200: ENTRY, 201: ENTRY },
    errors: [
      'unsupported_content_encoding',
      'artifact_too_large',
      'inline_too_large',
      'version_exists',
      'precondition_failed',
      'digest_mismatch',
      'blob_lost',
    ],
  },
  fetch: {
    method: 'GET',
    path: VERSION,
    access: 'read',
    tag: 'artifacts',
    summary: 'Fetch the bytes',
    query: ['digest'],
    headers: ['conditions', 'range'],
    responses: {
      200: { content: 'bytes', headers: ARTIFACT_HEADERS },
      206: { content: 'bytes', headers: [...ARTIFACT_HEADERS, 'Content-Range'] },
      304: { headers: ARTIFACT_HEADERS },
      307: { headers: ['Location', HEADERS.artifactDigest, HEADERS.artifactSize, HEADERS.artifactRef] },
    },
    errors: [
      'version_not_found',
      'digest_differs',
      'precondition_failed',
      'range_not_satisfiable',
      'blob_lost',
    ],
  },
  head: {
    method: 'HEAD',
    path: VERSION,
    access: 'read',
    tag: 'artifacts',
    summary: 'Get the headers of a fetch',
    query: ['digest'],
    headers: ['conditions'],
    responses: { 200: { headers: ARTIFACT_HEADERS }, 304: { headers: ARTIFACT_HEADERS } },
    errors: ['version_not_found', 'digest_differs', 'precondition_failed', 'blob_lost'],
  },
  entry: {
    method: 'GET',
    path: `${VERSION}/entry`,
    access: 'read',
    tag: 'artifacts',
    summary: 'Get the entry',
    responses: { 200: { content: 'Entry' } },
    errors: ['version_not_found'],
  },
  download: {
    method: 'GET',
    path: `${VERSION}/download`,
    access: 'read',
    tag: 'artifacts',
    summary: 'Get a URL that serves the bytes for a limited time',
    query: ['digest'],
    responses: { 200: { content: 'Download', headers: [HEADERS.artifactRef] } },
    errors: ['version_not_found', 'digest_differs'],
  },
  beginUpload: {
    method: 'PUT',
    path: UPLOAD,
    access: 'write',
    tag: 'uploads',
    summary: 'Begin an upload, or find it again',
    body: 'BeginUpload',
    responses: { 200: { content: 'Upload' }, 201: { content: 'Upload', headers: ['Location'] } },
    errors: ['unsupported_content_encoding', 'artifact_too_large', 'version_exists', 'upload_conflict'],
  },
  uploadState: {
    method: 'GET',
    path: UPLOAD,
    access: 'read',
    tag: 'uploads',
    summary: 'Get the state of an upload',
    responses: { 200: { content: 'Upload' } },
    errors: ['upload_not_found'],
  },
  presignParts: {
    method: 'POST',
    path: `${UPLOAD}/parts`,
    access: 'write',
    tag: 'uploads',
    summary: 'Get presigned requests for parts',
    body: 'PresignParts',
    responses: { 200: { content: 'PartRequests' } },
    errors: ['unsupported_content_encoding', 'upload_not_found', 'upload_conflict'],
  },
  commitUpload: {
    method: 'POST',
    path: `${UPLOAD}/commit`,
    access: 'write',
    tag: 'uploads',
    summary: 'Finish an upload',
    responses: {
      200: ENTRY,
      201: ENTRY,
      202: { content: 'Upload', headers: ['Location', 'Retry-After'] },
    },
    errors: ['upload_not_found', 'upload_incomplete', 'version_exists', 'digest_mismatch'],
  },
  abortUpload: {
    method: 'DELETE',
    path: UPLOAD,
    access: 'write',
    tag: 'uploads',
    summary: 'Abort an upload',
    responses: { 204: {} },
    errors: ['upload_not_found', 'upload_conflict'],
  },
} as const satisfies Record<string, RouteDescriptor>

export type Routes = typeof ROUTES
export type RouteName = keyof Routes
export type RouteNameOf<A extends Access> = {
  [R in RouteName]: Routes[R]['access'] extends A ? R : never
}[RouteName]

/** Errors that any request can meet, here or at a gateway in front. */
const COMMON_ERRORS: readonly ErrorCode[] = [
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

/** Additional errors of any request with write access. */
const WRITE_ERRORS: readonly ErrorCode[] = ['insufficient_storage']

/** Headers of single error codes, besides those of every response. */
export const ERROR_HEADERS: Readonly<Partial<Record<ErrorCode, readonly ResponseHeaderName[]>>> = {
  artifact_too_large: [HEADERS.uploadLimit],
  method_not_allowed: ['Allow'],
  range_not_satisfiable: ['Content-Range'],
  throttled: ['Retry-After'],
  unavailable: ['Retry-After'],
}

/** Every error code of a route. */
export function errorsOf(name: RouteName): readonly ErrorCode[] {
  const { access, errors = [] }: RouteDescriptor = ROUTES[name]
  return [...errors, ...COMMON_ERRORS, ...(access === 'write' ? WRITE_ERRORS : [])]
}

/** Of each template, its texts and the names in it in turn. */
const templates = new Map<string, readonly string[]>()

function partsOf(template: string): readonly string[] {
  const known = templates.get(template)
  if (known !== undefined) return known
  const parts = template.split(/\{(\w+)\}/)
  templates.set(template, parts)
  return parts
}

/** Fills a template of the table: each value becomes one percent-encoded segment. */
function fill(template: string, values: Record<string, string>): string {
  let path: string = API_ROOT
  let isName = false
  for (const part of partsOf(template)) {
    path += isName ? encodeURIComponent(values[part] ?? '') : part
    isName = !isName
  }
  return path
}

const keyValues = (key: ArtifactKey) => ({ bucket_id: key.bucketId, artifact_id: key.artifactId })
const refValues = (ref: ArtifactRef) => Object.assign(keyValues(ref), { version: ref.version })

export const problemPath = (code: string): string => fill(ROUTES.problem.path, { code })
export const versionsPath = (key: ArtifactKey): string => fill(ROUTES.listVersions.path, keyValues(key))
export const versionPath = (ref: ArtifactRef): string => fill(ROUTES.fetch.path, refValues(ref))
export const entryPath = (ref: ArtifactRef): string => fill(ROUTES.entry.path, refValues(ref))
export const downloadPath = (ref: ArtifactRef): string => fill(ROUTES.download.path, refValues(ref))
export const uploadPath = (ref: ArtifactRef, digest: Digest): string =>
  fill(ROUTES.beginUpload.path, { ...refValues(ref), digest })
export const uploadPartsPath = (ref: ArtifactRef, digest: Digest): string =>
  fill(ROUTES.presignParts.path, { ...refValues(ref), digest })
export const commitPath = (ref: ArtifactRef, digest: Digest): string =>
  fill(ROUTES.commitUpload.path, { ...refValues(ref), digest })
export const servicePath = API_ROOT
