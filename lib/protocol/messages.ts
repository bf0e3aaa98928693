/**
 * The JSON of the API as schemas: request bodies are validated with them, and the OpenAPI document is made from them.
 * `zod/mini` keeps them small in a Lambda bundle.
 */
import * as z from 'zod/mini'
import { parseText, TEXT_LIMITS, TEXT_PATTERN } from '../domain/description.ts'
import { DIGEST_PATTERN, HEX_PATTERN } from '../domain/digest.ts'
import { IDENTIFIER_PATTERN } from '../domain/identifiers.ts'
import { MAX_PARTS_PER_REQUEST } from '../domain/limits.ts'
import type { Fault } from '../domain/validation.ts'

const identifier = z.string().check(z.regex(new RegExp(IDENTIFIER_PATTERN)))
const digest = z.string().check(z.regex(new RegExp(DIGEST_PATTERN)))
const sha256Hex = z
  .string()
  .check(z.regex(new RegExp(HEX_PATTERN), 'is not 64 lower-case hex digits of a SHA-256'))
const bytes = z.number().check(z.int('is no safe integer'), z.gte(0, 'is negative'))
const count = z.number().check(z.int('is no safe integer'), z.gte(1, 'is below 1'))
const time = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/))

/** The lengths stand in the schema for the OpenAPI document; a text that breaks several rules is told of one. */
function text(limit: number) {
  const error = (issue: { readonly input?: unknown }) => {
    const result = parseText(String(issue.input), limit)
    return result.ok ? '' : result.detail
  }
  return z
    .string()
    .check(
      z.minLength(1, { error, abort: true }),
      z.maxLength(limit, { error, abort: true }),
      z.regex(new RegExp(TEXT_PATTERN), { error }),
    )
}
const optionalText = (limit: number) => z.optional(z.nullable(text(limit)))

/** The body of a begin (docs/http-api.md, section 7.1). */
export const beginUploadBody = z.strictObject({
  size: bytes,
  mode: z.optional(z.nullable(z.enum(['single', 'multipart']))),
  content_type: optionalText(TEXT_LIMITS.content_type),
  uploaded_by: optionalText(TEXT_LIMITS.uploaded_by),
  provenance_source: optionalText(TEXT_LIMITS.provenance_source),
})
export type BeginUploadBody = z.infer<typeof beginUploadBody>

/** The body of a request for parts (docs/http-api.md, section 7.2). */
export const uploadPartsBody = z.strictObject({
  parts: z
    .array(
      z.strictObject({
        number: count,
        sha256: sha256Hex,
      }),
    )
    .check(
      z.minLength(1, 'is empty: name at least one part'),
      z.maxLength(MAX_PARTS_PER_REQUEST, `has more than ${MAX_PARTS_PER_REQUEST} parts`),
      z.refine(
        (parts) => new Set(parts.map(({ number }) => number)).size === parts.length,
        'names a part number twice',
      ),
    ),
})
export type UploadPartsBody = z.infer<typeof uploadPartsBody>

export const entrySchema = z.strictObject({
  bucket_id: identifier,
  artifact_id: identifier,
  version: identifier,
  digest,
  size: bytes,
  content_type: z.string(),
  uploaded_by: z.nullable(z.string()),
  provenance_source: z.nullable(z.string()),
  created_at: time,
})

export const versionsPage = z.strictObject({
  versions: z.array(entrySchema),
  next_cursor: z.nullable(z.string()),
})

export const presignedRequest = z.strictObject({
  method: z.enum(['GET', 'PUT']),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  expires_at: time,
})
export type PresignedRequestMessage = z.infer<typeof presignedRequest>

export const downloadMessage = z.strictObject({
  method: z.enum(['GET']),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  expires_at: time,
  digest,
  size: bytes,
})
export type DownloadMessage = z.infer<typeof downloadMessage>

const receivedPart = z.strictObject({ number: count, size: bytes, sha256: sha256Hex })
export type ReceivedPartMessage = z.infer<typeof receivedPart>

export const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: count,
  detail: z.string(),
  code: z.string(),
  retryable: z.boolean(),
  next: z.string(),
  request_id: z.string(),
})
export type ProblemMessage = z.infer<typeof problemSchema>

export const uploadSchema = z.strictObject({
  bucket_id: identifier,
  artifact_id: identifier,
  version: identifier,
  digest,
  size: bytes,
  content_type: z.string(),
  uploaded_by: z.nullable(z.string()),
  provenance_source: z.nullable(z.string()),
  mode: z.enum(['single', 'multipart']),
  state: z.enum(['open', 'verifying', 'committed', 'failed']),
  expires_at: time,
  received: z.optional(z.union([z.boolean(), z.array(receivedPart)])),
  request: z.optional(presignedRequest),
  part_size: z.optional(bytes),
  part_count: z.optional(count),
  verified_bytes: z.optional(bytes),
  entry: z.optional(entrySchema),
  problem: z.optional(problemSchema),
})
export type UploadMessage = z.infer<typeof uploadSchema>

export const uploadPartsMessage = z.strictObject({
  parts: z.array(z.strictObject({ number: count, request: presignedRequest })),
})
export type UploadPartsMessage = z.infer<typeof uploadPartsMessage>

export const healthMessage = z.strictObject({ status: z.enum(['ok']) })

export const serviceMessage = z.strictObject({
  service: z.literal('bucket'),
  api_version: z.literal('v1'),
  limits: z.strictObject({
    max_artifact_bytes: bytes,
    max_inline_bytes: bytes,
    max_single_bytes: bytes,
    max_parts_per_request: count,
    max_page_limit: count,
  }),
  links: z.record(z.string(), z.string()),
})
export type ServiceMessage = z.infer<typeof serviceMessage>

/** The document of one error code (`GET /v1/problems/{code}`). */
export const problemPage = z.strictObject({
  type: z.string(),
  code: z.string(),
  status: count,
  retryable: z.boolean(),
  title: z.string(),
  meaning: z.string(),
  next: z.string(),
})
export const problemPages = z.strictObject({ problems: z.array(problemPage) })

type Issue = z.core.$ZodIssue

/**
 * Validates a decoded JSON body.
 *
 * @returns the body, or every fault of it, each named by its JSON path (`parts[3].sha256`).
 */
export function parseBody<S extends z.core.$ZodType>(
  schema: S,
  body: unknown,
): { ok: true; value: z.output<S> } | { ok: false; faults: Fault[] } {
  const result = z.safeParse(schema, body, { reportInput: true })
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, faults: result.error.issues.flatMap(issueFaults) }
}

function issueFaults(issue: Issue): Fault[] {
  const path = issue.path.reduce<string>(
    (name, step) =>
      typeof step === 'number' ? `${name}[${step}]` : name === '' ? String(step) : `${name}.${String(step)}`,
    '',
  )
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      in: 'body',
      name: path === '' ? key : `${path}.${key}`,
      detail: 'is not a member of this body',
    }))
  return [{ in: 'body', name: path === '' ? 'body' : path, detail: describeIssue(issue) }]
}

function describeIssue(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.message !== 'Invalid input'
        ? issue.message
        : issue.input === undefined
          ? 'is missing'
          : `is not a ${issue.expected}`
    case 'invalid_value':
      return `is none of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    default:
      return issue.message
  }
}
