/** Headers of answers as the OpenAPI document tells them (docs/http-api.md, sections 1 and 4 to 8). */
import { DIGEST_PATTERN } from '../domain/digest.ts'
import type { ErrorCode } from '../domain/errors.ts'
import { ARTIFACT_CACHE_CONTROL, HEADERS } from '../protocol/headers.ts'

const text = { type: 'string' }
const digest = { type: 'string', pattern: DIGEST_PATTERN }
const constant = (value: string) => ({ type: 'string', const: value })
const always = (schema: object, description: string) => ({ description, required: true, schema })
const sometimes = (schema: object, description: string) => ({ description, schema })

const SPECIFICATIONS = {
  [HEADERS.requestId]: always(text, 'names this request in the operation log'),
  'X-Content-Type-Options': always(constant('nosniff'), 'bytes are never guessed at'),
  'Server-Timing': always(text, 'where the time went, in milliseconds'),
  ETag: always({ type: 'string', pattern: '^"sha256:[0-9a-f]{64}"$' }, 'the digest in quotes'),
  [HEADERS.artifactDigest]: always(digest, 'the digest of the stored bytes'),
  [HEADERS.reprDigest]: always(text, 'the same digest in the form of RFC 9530'),
  [HEADERS.artifactSize]: always({ type: 'integer', minimum: 0 }, 'the size of the stored bytes'),
  'Accept-Ranges': always(constant('bytes'), 'ranges of bytes may be asked for'),
  'Last-Modified': always(text, 'when the version was stored'),
  'Cache-Control': always(constant(ARTIFACT_CACHE_CONTROL), 'an artifact never changes'),
  'Content-Disposition': always(text, 'a browser saves the bytes and shows nothing'),
  'Content-Security-Policy': always(constant('sandbox'), 'bytes run nowhere'),
  'Content-Range': always(text, 'which bytes these are, or how many there are'),
  Location: always(text, 'where to go on'),
  Link: sometimes(text, 'rel="next", while there is more'),
  'Retry-After': sometimes({ type: 'integer', minimum: 0 }, 'seconds to wait'),
  [HEADERS.uploadLimit]: sometimes(text, 'max-size=N, the largest artifact in bytes'),
} satisfies Record<string, object>

export type HeaderName = keyof typeof SPECIFICATIONS

const EVERY_ANSWER: readonly HeaderName[] = [HEADERS.requestId, 'X-Content-Type-Options', 'Server-Timing']

/** What every answer about an entry says. */
export const DIGEST_HEADERS: readonly HeaderName[] = ['ETag', HEADERS.artifactDigest, HEADERS.reprDigest]
/** What every answer about the bytes says. */
export const BYTES_HEADERS: readonly HeaderName[] = [
  ...DIGEST_HEADERS,
  HEADERS.artifactSize,
  'Accept-Ranges',
  'Last-Modified',
  'Cache-Control',
  'Content-Disposition',
  'Content-Security-Policy',
]

const OF_PROBLEM: Partial<Record<ErrorCode, HeaderName>> = {
  artifact_too_large: HEADERS.uploadLimit,
  range_not_satisfiable: 'Content-Range',
  throttled: 'Retry-After',
  unavailable: 'Retry-After',
}

const reference = (name: HeaderName) => [name, { $ref: `#/components/headers/${name}` }] as const

/** @returns the `headers` of a response object. */
export const headersOf = (names: readonly HeaderName[]): object =>
  Object.fromEntries([...EVERY_ANSWER, ...names].map(reference))

/** @returns those of a response that any of these problems may be. */
export const headersOfProblems = (codes: readonly ErrorCode[]): object =>
  headersOf([...new Set(codes.flatMap((code) => OF_PROBLEM[code] ?? []))])

/** @returns the `headers` of `components`. */
export const headerComponents = (): object => SPECIFICATIONS
