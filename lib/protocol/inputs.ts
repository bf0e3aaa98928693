/** The inputs of requests besides path and body: query parameters and headers, each named once with its form. */
import { DESCRIPTION, DESCRIPTION_MEMBERS, TEXT_PATTERN } from '../domain/description.ts'
import { DIGEST_PATTERN } from '../domain/digest.ts'
import { DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT } from '../domain/limits.ts'
import { DESCRIPTION_WIRE } from './description.ts'
import { HEADERS } from './headers.ts'
import type { JsonSchema } from './response-headers.ts'

const text = { type: 'string' } as const
const digest = { type: 'string', pattern: DIGEST_PATTERN }

/** Every query parameter; all are optional. */
export const QUERY = {
  digest,
  limit: { type: 'integer', minimum: 1, maximum: MAX_PAGE_LIMIT, default: DEFAULT_PAGE_LIMIT },
  cursor: { type: 'string', minLength: 1 },
} as const satisfies Readonly<Record<string, JsonSchema>>

export type QueryName = keyof typeof QUERY

const description: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  DESCRIPTION_MEMBERS.map((member) => [
    DESCRIPTION_WIRE[member].header,
    {
      type: 'string',
      description: DESCRIPTION[member].meaning,
      minLength: 1,
      maxLength: DESCRIPTION[member].maxLength,
      pattern: TEXT_PATTERN,
    },
  ]),
)

const conditions = {
  'If-None-Match': text,
  'If-Match': text,
  'If-Modified-Since': text,
  'If-Unmodified-Since': text,
}

/** Request headers that are read together, as one input. */
export const HEADER_INPUTS = {
  /** The digest of the body; at least one of the two is required. */
  declaredDigest: { [HEADERS.artifactDigest]: digest, [HEADERS.reprDigest]: text },
  description,
  /** A store has one possible precondition. */
  onlyIfAbsent: { 'If-None-Match': { type: 'string', enum: ['*'] } },
  conditions,
  range: { Range: text, 'If-Range': text },
} as const satisfies Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>

export type HeaderInput = keyof typeof HEADER_INPUTS

/** The headers that a page of an allowed origin may send: the API's own and those for authorization. */
export const SENDABLE_HEADERS: readonly string[] = [
  ...new Set(Object.values(HEADER_INPUTS).flatMap((headers) => Object.keys(headers))),
  'Authorization',
  HEADERS.apiKey,
  'X-Amz-Date',
  'X-Amz-Security-Token',
  'X-Amz-Content-Sha256',
]
