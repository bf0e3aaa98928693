/**
 * The JSON of the API as schemas: requests and responses are validated with them, and the OpenAPI document is made from them.
 * Nothing that a fetch loads imports more than types of this module, because it brings the schema library (docs/decisions/013).
 */
import * as v from 'valibot'
import { DESCRIPTION, DESCRIPTION_MEMBERS, parseText, TEXT_PATTERN } from '../domain/description.ts'
import { DIGEST_PATTERN, HEX_PATTERN } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { BucketError, ErrorCode } from '../domain/errors.ts'
import { IDENTIFIER_PATTERN } from '../domain/identifiers.ts'
import { MAX_PARTS_PER_REQUEST } from '../domain/limits.ts'
import type { PartDigest, PresignedPart, PresignedRequest, Upload, UploadTerms } from '../domain/upload.ts'
import { DESCRIPTION_WIRE } from './description.ts'

const string = v.string('is not a string')
const integer = v.pipe(v.number('is not a number'), v.safeInteger('is not a safe integer'))
const matching = (pattern: string, detail: string) => v.pipe(string, v.regex(new RegExp(pattern), detail))

const identifier = matching(IDENTIFIER_PATTERN, 'is not an identifier')
const digest = matching(DIGEST_PATTERN, 'is not sha256: and 64 lower-case hex digits')
const sha256Hex = matching(HEX_PATTERN, 'is not 64 lower-case hex digits')
const time = v.pipe(
  matching('^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$', 'is not a UTC time with milliseconds'),
  // Makes `format: date-time` in the OpenAPI document, and refuses an hour of 25.
  v.isoTimestamp('is not a date and a time of day'),
)
const bytes = v.pipe(integer, v.minValue(0, 'is negative'))
const count = v.pipe(integer, v.minValue(1, 'is below 1'))
const boolean = v.boolean('is not a boolean')
const list = <S extends v.GenericSchema>(item: S) => v.array(item, 'is not an array')

/** A message of the server: a client ignores the members that it does not know, because a newer server may send more. */
const message = <E extends v.ObjectEntries>(entries: E) => v.object(entries, 'is not an object')
/** A body of a request: a member that the server does not know is an error (docs/http-api.md, section 1). */
const body = <E extends v.ObjectEntries>(
  entries: E,
): v.GenericSchema<v.InferInput<v.ObjectSchema<E, string>>, v.InferOutput<v.ObjectSchema<E, string>>> =>
  v.objectWithRest(entries, v.never('is not a member of this body'), 'is not an object')

/** The schema repeats the rules of a text for the OpenAPI document; `parseText` explains a violation. */
function describing(limit: number) {
  const explain = ({ input }: { readonly input: unknown }) => {
    const result = parseText(String(input), limit)
    return result.ok ? '' : result.error
  }
  return v.pipe(
    string,
    v.minLength(1, explain),
    v.maxLength(limit, explain),
    v.regex(new RegExp(TEXT_PATTERN), explain),
  )
}

type Wire = typeof DESCRIPTION_WIRE
type DescribedBy<S extends 'given' | 'stored'> = {
  [M in keyof Wire as Wire[M]['member']]: ReturnType<(typeof DESCRIBED)[S]>
}

const DESCRIBED = {
  /** In a request: optional. */
  given: (limit: number) => v.nullish(describing(limit)),
  /** In an entry. This version always sends it. If an older server omits it, it is null. */
  stored: () => v.optional(v.nullable(string), null),
}

/** One schema for each member of a description, under its wire name. */
const description = <S extends 'given' | 'stored'>(form: S): DescribedBy<S> =>
  Object.fromEntries(
    DESCRIPTION_MEMBERS.map((name) => [
      DESCRIPTION_WIRE[name].member,
      DESCRIBED[form](DESCRIPTION[name].maxLength),
    ]),
  ) as DescribedBy<S>

const stored = { ...description('stored'), content_type: string }
const ref = { bucket_id: identifier, artifact_id: identifier, version: identifier }
const mode = v.picklist(['single', 'multipart'], 'is not "single" or "multipart"')

/** The body of a begin (docs/http-api.md, section 7.1). */
const beginUploadBody = body({
  size: bytes,
  mode: v.nullish(mode),
  ...description('given'),
})

/** The body of a request for parts (docs/http-api.md, section 7.2). */
const partDigest = body({ number: count, sha256: sha256Hex })
const presignPartsBody = body({
  parts: v.pipe(
    list(partDigest),
    v.minLength(1, 'is empty: name at least one part'),
    v.maxLength(MAX_PARTS_PER_REQUEST, `has more than ${MAX_PARTS_PER_REQUEST} parts`),
    v.check(
      (parts) => new Set(parts.map(({ number }) => number)).size === parts.length,
      'names a part number twice',
    ),
  ),
})

const entryMessage = message({ ...ref, digest, size: bytes, ...stored, created_at: time })

const versionsPage = message({
  versions: list(entryMessage),
  next_cursor: v.nullable(string),
})

const request = {
  url: string,
  headers: v.record(string, string, 'is not an object'),
  expires_at: time,
}
const presignedRequest = message({ method: v.picklist(['GET', 'PUT'], 'is not "GET" or "PUT"'), ...request })

const downloadMessage = message({ method: v.literal('GET', 'is not "GET"'), ...request, digest, size: bytes })

const receivedPart = message({ number: count, size: bytes, sha256: sha256Hex })

const problemMessage = v.looseObject({
  type: string,
  title: string,
  status: count,
  detail: string,
  code: string,
  retryable: boolean,
  next: string,
  request_id: string,
})

const received = v.union([boolean, list(receivedPart)], 'is not a boolean or an array of parts')

/** The details of a problem that have the same form on the wire as in the domain, by their names in the domain. */
export const DETAIL_SCHEMAS = {
  errors: list(v.looseObject({ in: string, name: string, detail: string })),
  declaredDigest: digest,
  computedDigest: digest,
  storedDigest: digest,
  expectedDigest: v.nullable(digest),
  size: bytes,
  maxArtifactBytes: bytes,
  maxInlineBytes: bytes,
  hint: string,
  conflict: v.picklist(['identical', 'different']),
  received,
  missing: list(count),
}

const uploadMessage = message({
  ...ref,
  digest,
  size: bytes,
  ...stored,
  mode,
  state: v.picklist(['open', 'verifying', 'committed', 'failed'], 'is not a known state'),
  expires_at: time,
  received: v.optional(received),
  request: v.optional(presignedRequest),
  part_size: v.optional(bytes),
  part_count: v.optional(count),
  verified_bytes: v.optional(bytes),
  entry: v.optional(entryMessage),
  problem: v.optional(problemMessage),
})

const partRequest = message({ number: count, request: presignedRequest })
const partRequests = message({ parts: list(partRequest) })

const healthMessage = message({ status: v.literal('ok', 'is not "ok"') })

const serviceMessage = message({
  service: v.literal('bucket', 'is not "bucket"'),
  api_version: v.literal('v1', 'is not "v1"'),
  limits: message({
    max_artifact_bytes: bytes,
    max_inline_bytes: bytes,
    max_single_bytes: bytes,
    max_parts_per_request: count,
    max_page_limit: count,
  }),
  links: v.record(string, string, 'is not an object'),
})

/** The document of one error code (`GET /v1/problems/{code}`). */
const problemPage = message({
  type: string,
  code: string,
  status: count,
  retryable: boolean,
  title: string,
  meaning: string,
  next: string,
})
const problemPages = message({ problems: list(problemPage) })

/** Every message under the name by which the routes and the OpenAPI document refer to it. */
export const MESSAGES = {
  Entry: entryMessage,
  VersionsPage: versionsPage,
  Download: downloadMessage,
  Upload: uploadMessage,
  ReceivedPart: receivedPart,
  PresignedRequest: presignedRequest,
  BeginUpload: beginUploadBody,
  PartDigest: partDigest,
  PresignParts: presignPartsBody,
  PartRequest: partRequest,
  PartRequests: partRequests,
  Service: serviceMessage,
  Health: healthMessage,
  Problem: problemMessage,
  ProblemPage: problemPage,
  ProblemPages: problemPages,
} as const

export type MessageName = keyof typeof MESSAGES
export type Message<N extends MessageName> = v.InferOutput<(typeof MESSAGES)[N]>

export type EntryMessage = Message<'Entry'>
export type UploadMessage = Message<'Upload'>
export type UploadPartsMessage = Message<'PartRequests'>
export type DownloadMessage = Message<'Download'>
export type ProblemMessage = Message<'Problem'>

/** One page of a list. `next` continues the list; null on the last page. */
export interface Page {
  readonly entries: readonly Entry[]
  readonly next: string | null
}

/** A request that returns the bytes, and their description. */
export interface Download {
  readonly request: PresignedRequest
  readonly entry: Pick<Entry, 'digest' | 'size'>
}

/** Bytes, throughout. */
export interface ServiceLimits {
  readonly maxArtifactBytes: number
  /** The largest body of one request. */
  readonly maxInlineBytes: number
}

/** The domain value of every message, which handlers return and clients get. Encoders and decoders are typed by it. */
export interface MessageValues {
  Entry: Entry
  VersionsPage: Page
  Download: Download
  Upload: Upload
  BeginUpload: UploadTerms
  PresignParts: readonly PartDigest[]
  PartRequests: readonly PresignedPart[]
  Service: ServiceLimits
  Health: 'ok'
  Problem: BucketError
  ProblemPage: ErrorCode
  ProblemPages: readonly ErrorCode[]
}
