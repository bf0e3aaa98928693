/** The only list of response headers: the form of each, and whether a page of another origin may read it. */
import { DIGEST_PATTERN } from '../domain/digest.ts'
import { HEADERS } from './headers.ts'

/** A JSON Schema, as data. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** A header of a response, as the OpenAPI document shows it. */
export interface ResponseHeader {
  readonly schema: JsonSchema
  readonly description: string
  /** Whether every response that lists the header has it. */
  readonly required: boolean
  /** Whether a page of an allowed origin may read it (docs/http-api.md, section 9). */
  readonly exposed?: true
}

const text = { type: 'string' } as const
const constant = (value: string) => ({ type: 'string', const: value })
const digest = { type: 'string', pattern: DIGEST_PATTERN }
const count = { type: 'integer', minimum: 0 }
const required = true

export const RESPONSE_HEADERS = {
  ETag: {
    schema: { type: 'string', pattern: '^"sha256:[0-9a-f]{64}"$' },
    description: 'the digest in quotes',
    required,
    exposed: true,
  },
  [HEADERS.artifactDigest]: {
    schema: digest,
    description: 'the digest of the stored bytes',
    required,
    exposed: true,
  },
  [HEADERS.artifactSize]: {
    schema: count,
    description: 'the size of the stored bytes',
    required,
    exposed: true,
  },
  [HEADERS.artifactRef]: {
    schema: text,
    description: 'the version that the response is about: bucket_id/artifact_id/version',
    required,
    exposed: true,
  },
  [HEADERS.reprDigest]: {
    schema: text,
    description: 'the same digest in the form of RFC 9530',
    required,
    exposed: true,
  },
  'Accept-Ranges': {
    schema: constant('bytes'),
    description: 'byte ranges are served',
    required,
    exposed: true,
  },
  'Content-Range': {
    schema: text,
    description: 'which bytes these are, or how many there are',
    required,
    exposed: true,
  },
  'Content-Disposition': {
    schema: text,
    description: 'a browser saves the bytes instead of showing them',
    required,
    exposed: true,
  },
  'Last-Modified': { schema: text, description: 'when the version was stored', required, exposed: true },
  Location: { schema: text, description: 'the resource to use next', required, exposed: true },
  Link: {
    schema: text,
    description: 'rel="next", while there is another page',
    required: false,
    exposed: true,
  },
  'Retry-After': { schema: count, description: 'seconds to wait', required: false, exposed: true },
  [HEADERS.requestId]: {
    schema: text,
    description: 'names this request in the operation log',
    required,
    exposed: true,
  },
  [HEADERS.uploadLimit]: {
    schema: text,
    description: 'max-size=N, the largest artifact in bytes',
    required: false,
    exposed: true,
  },
  'Cache-Control': { schema: text, description: 'who may keep the response, and how long', required },
  'Content-Security-Policy': {
    schema: text,
    description: 'a browser runs nothing in the response',
    required,
  },
  'X-Content-Type-Options': {
    schema: constant('nosniff'),
    description: 'a browser guesses no type',
    required,
  },
  'Server-Timing': { schema: text, description: 'durations in milliseconds', required },
  Allow: { schema: text, description: 'the methods of this resource', required },
} as const satisfies Readonly<Record<string, ResponseHeader>>

export type ResponseHeaderName = keyof typeof RESPONSE_HEADERS

/** Every response has these (docs/http-api.md, section 1). */
export const COMMON_HEADERS = [
  HEADERS.requestId,
  'X-Content-Type-Options',
  'Server-Timing',
  'Cache-Control',
] as const satisfies readonly ResponseHeaderName[]

/** The headers that a page of an allowed origin may read (docs/http-api.md, section 9). */
export const EXPOSED_HEADERS: readonly string[] = Object.entries(
  RESPONSE_HEADERS as Readonly<Record<string, ResponseHeader>>,
).flatMap(([name, { exposed }]) => (exposed ? [name] : []))
