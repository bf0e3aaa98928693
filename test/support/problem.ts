/**
 * The required form of a refusal, written from the contract alone (docs/http-api.md, section 8). The table below is a second
 * copy on purpose: a test compares it with the code's own table, so that neither can be wrong alone.
 */
import { expect } from 'vitest'
import * as z from 'zod'
import { header, type RawResponse } from './raw-http.ts'

export const DIGEST = /^sha256:[0-9a-f]{64}$/
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$/
const bytes = z.int().gte(0)
const text = z.string().min(1)
const digest = z.string().regex(DIGEST)

/** Section 1: the members that describe an artifact. */
export const descriptionShape = {
  content_type: text,
  uploaded_by: z.nullable(text),
  provenance_source: z.nullable(text),
}

/** Section 3: exactly these members. */
export const entryShape = z.strictObject({
  bucket_id: z.string().regex(IDENTIFIER),
  artifact_id: z.string().regex(IDENTIFIER),
  version: z.string().regex(IDENTIFIER),
  digest,
  size: bytes,
  ...descriptionShape,
  created_at: z.string().regex(TIME),
})
export type EntryShape = z.infer<typeof entryShape>

const fault = z.strictObject({ in: z.enum(['header', 'path', 'query', 'body']), name: text, detail: text })
const conflict = {
  conflict: z.enum(['identical', 'different']),
  declared_digest: digest,
  stored: entryShape,
}
const receivedPart = z.strictObject({
  number: z.int().gte(1),
  size: bytes,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

interface Row {
  readonly status: number
  readonly retryable: boolean
  readonly members: z.core.$ZodLooseShape
  /** Headers that the row promises in addition to the members. */
  readonly headers?: Readonly<Record<string, RegExp>>
}
const row = (
  status: number,
  retryable: 'yes' | 'no',
  members: z.core.$ZodLooseShape = {},
  headers: Readonly<Record<string, RegExp>> = {},
): Row => ({ status, retryable: retryable === 'yes', members, headers })

/** The rows of section 8, in its order. */
export const CONTRACT_ERRORS = {
  invalid_request: row(400, 'no', { errors: z.array(fault).min(1) }),
  digest_mismatch: row(400, 'no', {
    declared_digest: digest,
    computed_digest: z.optional(digest),
    size: bytes,
    hint: z.optional(text),
  }),
  route_not_found: row(404, 'no'),
  version_not_found: row(404, 'no'),
  upload_not_found: row(404, 'no'),
  method_not_allowed: row(405, 'no', {}, { Allow: /^[A-Z]+(, ?[A-Z]+)*$/ }),
  version_exists: row(409, 'no', conflict),
  upload_incomplete: row(409, 'no', {
    received: z.union([z.boolean(), z.array(receivedPart)]),
    missing: z.array(z.int().gte(1)).max(100),
  }),
  upload_conflict: row(409, 'no', { upload: z.looseObject({ state: z.string(), digest }) }),
  digest_differs: row(412, 'no', { expected_digest: z.nullable(digest), stored_digest: digest }),
  precondition_failed: row(412, 'no', conflict),
  // A chunked body has no size before it ends; tests that declare one pass it explicitly.
  artifact_too_large: row(
    413,
    'no',
    { size: z.optional(bytes), max_artifact_bytes: bytes },
    { 'Upload-Limit': /^max-size=\d+$/ },
  ),
  inline_too_large: row(413, 'no', { size: z.optional(bytes), max_inline_bytes: bytes, upload: text }),
  unsupported_content_encoding: row(415, 'no'),
  range_not_satisfiable: row(416, 'no', {}, { 'Content-Range': /^bytes \*\/\d+$/ }),
  request_timeout: row(408, 'yes'),
  uri_too_long: row(414, 'no'),
  headers_too_large: row(431, 'no'),
  host_not_allowed: row(421, 'no'),
  unauthorized: row(401, 'no'),
  forbidden: row(403, 'no'),
  throttled: row(429, 'yes', {}, { 'Retry-After': /^\d+$/ }),
  internal: row(500, 'yes'),
  blob_lost: row(500, 'no'),
  unavailable: row(503, 'yes', {}, { 'Retry-After': /^\d+$/ }),
  insufficient_storage: row(507, 'no'),
} as const satisfies Record<string, Row>

export type ContractCode = keyof typeof CONTRACT_ERRORS

export type Problem = Record<string, unknown> & {
  readonly code: string
  readonly detail: string
  readonly next: string
  readonly request_id: string
  readonly errors?: readonly z.infer<typeof fault>[]
  readonly stored?: EntryShape
}

/** Checks a refusal against the row of `code`, and returns its members. */
export function expectProblem(response: RawResponse, code: ContractCode): Problem {
  const { status, retryable, members, headers }: Row = CONTRACT_ERRORS[code]
  const body = response.body.toString('utf8')
  expect(response.status, body).toBe(status)
  expect(header(response, 'Content-Type')?.split(';')[0]).toBe('application/problem+json')
  expect(header(response, 'Cache-Control')).toBe('no-store')
  const shape = z.strictObject({
    type: z.literal(`/v1/problems/${code}`),
    title: text,
    status: z.literal(status),
    detail: text,
    code: z.literal(code),
    retryable: z.literal(retryable),
    next: text,
    request_id: text,
    ...members,
  })
  const parsed: unknown = JSON.parse(body)
  const result = shape.safeParse(parsed)
  expect(result.success ? [] : result.error.issues, body).toEqual([])
  expect(header(response, 'X-Request-Id')).toBe((parsed as Problem).request_id)
  // Every response has these two, including those that no handler of the API wrote (section 1).
  expect(header(response, 'X-Content-Type-Options')).toBe('nosniff')
  expect(header(response, 'Server-Timing')).toBeTruthy()
  for (const [name, form] of Object.entries(headers ?? {})) expect(header(response, name), name).toMatch(form)
  return parsed as Problem
}

/** The place of an invalid input: `header X-Artifact-Digest`; header names are compared without case. */
export type FaultAt = `${'header' | 'path' | 'query' | 'body'} ${string}`

/** Checks a 400 `invalid_request` that names exactly these inputs, each at least once. */
export function expectFaults(response: RawResponse, ...at: readonly FaultAt[]): Problem {
  const problem = expectProblem(response, 'invalid_request')
  const seen = new Set((problem.errors ?? []).map((error) => `${error.in} ${error.name}`.toLowerCase()))
  expect([...seen].sort(), JSON.stringify(problem.errors)).toEqual(
    at.map((place) => place.toLowerCase()).sort(),
  )
  return problem
}
