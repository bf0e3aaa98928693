/**
 * Wire messages as domain values: the bodies of requests on a server, the responses in a client. A message is checked by its
 * schema first, so the functions here only rename and regroup.
 */
import * as v from 'valibot'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import {
  BucketError,
  type BucketErrorOptions,
  type ErrorCode,
  type ErrorDetails,
  isErrorCode,
} from '../domain/errors.ts'
import type { UploadFailure } from '../domain/failure.ts'
import { partSize } from '../domain/limits.ts'
import { err, ok, type Result } from '../domain/result.ts'
import type { PresignedRequest, Upload, UploadState } from '../domain/upload.ts'
import { decodeDescription } from './description.ts'
import { decodeId, entryFromMessage } from './entry-message.ts'
import { DETAIL_MEMBERS, type DetailName } from './errors.ts'
import type { InputError } from './input-error.ts'
import {
  DETAIL_SCHEMAS,
  type Download,
  MESSAGES,
  type Message,
  type MessageName,
  type MessageValues,
  type Page,
  type ServiceLimits,
} from './messages.ts'
import { validate } from './validate.ts'

/** The value of a request body, or every error in it. */
export type DecodedBody<T> = Result<T, readonly InputError[]>

const bodyDecoder =
  <N extends MessageName, T>(name: N, convert: (message: Message<N>) => T) =>
  (json: unknown): DecodedBody<T> => {
    const message = validate<(typeof MESSAGES)[N]>(MESSAGES[name], json)
    return message.ok ? ok(convert(message.value)) : message
  }

/** The errors of a response become one sentence: its reader cannot correct them one by one. */
const decoder =
  <N extends MessageName, T>(name: N, convert: (message: Message<N>) => Result<T>) =>
  (json: unknown): Result<T> => {
    const message = validate<(typeof MESSAGES)[N]>(MESSAGES[name], json)
    if (message.ok) return convert(message.value)
    return err(message.error.map((error) => `${error.name} ${error.detail}`).join('; '))
  }

const toPresigned = ({
  method,
  url,
  headers,
  expires_at: expiresAt,
}: Message<'PresignedRequest'>): PresignedRequest => ({
  method,
  url,
  headers,
  expiresAt,
})

const toPart = ({ number, request }: Message<'PartRequest'>) => ({ number, request: toPresigned(request) })

function toUpload(message: Message<'Upload'>): Result<Upload> {
  const { size, mode, expires_at: expiresAt } = message
  // Both sides compute the size of parts from the same rule; another size would cut the artifact elsewhere.
  if (message.part_size !== undefined && message.part_size !== partSize(size))
    return err(`part_size is ${message.part_size}, but must be ${partSize(size)} for ${size} bytes`)
  const state = toState(message)
  if (state === undefined) return err('entry is missing from a committed upload')
  return ok({
    id: decodeId(message),
    size,
    description: decodeDescription(message),
    mode,
    expiresAt,
    ...state,
  } as Upload)
}

function toState(message: Message<'Upload'>): UploadState | undefined {
  const { state, mode, received, request, verified_bytes: verifiedBytes = 0, entry, problem } = message
  switch (state) {
    case 'open':
      return mode === 'multipart'
        ? { state, mode, received: Array.isArray(received) ? received : [] }
        : { state, mode, received: received === true, ...(request && { request: toPresigned(request) }) }
    case 'verifying':
      return { state, verifiedBytes }
    case 'committed':
      return entry && { state, entry: entryFromMessage(entry) }
    case 'failed':
      return { state, failure: toFailure(problem) }
  }
}

/** A code that this version does not know means the same to an uploader as a store that failed: begin again. */
function toFailure(problem: Message<'Problem'> | undefined): UploadFailure {
  const error = problem && fromProblem(problem)
  switch (error?.code) {
    case 'digest_mismatch':
    case 'version_exists':
    case 'unavailable':
      return { code: error.code, detail: error.message, details: error.details } as UploadFailure
    default: {
      const detail = error?.message ?? 'the upload failed, and the server does not say why'
      return { code: 'unavailable', detail, details: {} }
    }
  }
}

type JsonObject = Readonly<Record<string, unknown>>

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** @returns the error that a problem document describes; undefined if its code is not one of Bucket's. */
function fromProblem(problem: JsonObject, options: BucketErrorOptions = {}): BucketError | undefined {
  const { code } = problem
  if (typeof code !== 'string' || !isErrorCode(code)) return undefined
  const next = text(problem.next)
  const requestId = options.requestId ?? text(problem.request_id)
  const { retryable } = problem
  return new BucketError(code, text(problem.detail) ?? code, toDetails(problem), {
    ...options,
    ...(next !== undefined && { next }),
    ...(typeof retryable === 'boolean' && { retryable }),
    ...(requestId !== undefined && { requestId }),
  })
}

/** The details of a problem. A detail that does not have the form of the contract is left out. */
function toDetails(problem: JsonObject): ErrorDetails[ErrorCode] {
  const details: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(DETAIL_MEMBERS) as [DetailName, string][]) {
    const value = problem[member]
    if (value === undefined) continue
    const decoded = decodeDetail(name, value)
    if (decoded.ok) details[name] = decoded.value
  }
  return details as ErrorDetails[ErrorCode]
}

export const decodeEntry: (json: unknown) => Result<Entry> = decoder('Entry', (message) =>
  ok(entryFromMessage(message)),
)

export const decodeUpload: (json: unknown) => Result<Upload> = decoder('Upload', toUpload)

type PlainDetail = keyof typeof DETAIL_SCHEMAS
const isPlain = (name: DetailName): name is PlainDetail => Object.hasOwn(DETAIL_SCHEMAS, name)

/** The details that have another form on the wire. */
const DETAIL_DECODERS: {
  readonly [N in Exclude<DetailName, PlainDetail>]: (json: unknown) => Result<unknown>
} = {
  stored: decodeEntry,
  upload: decodeUpload,
  // On the wire it is a path, which a client does not need: it knows the upload that it would begin.
  uploadId: () => err('is a path'),
}

/** A proxy may answer in the place of Bucket, so each detail is checked before a client relies on it. */
function decodeDetail(name: DetailName, json: unknown): Result<unknown> {
  if (!isPlain(name)) return DETAIL_DECODERS[name](json)
  return v.is(DETAIL_SCHEMAS[name], json) ? ok(json) : err('has another form')
}

export const decodePage: (json: unknown) => Result<Page> = decoder(
  'VersionsPage',
  ({ versions, next_cursor: next }) => ok({ entries: versions.map(entryFromMessage), next }),
)

export const decodeDownload: (json: unknown) => Result<Download> = decoder(
  'Download',
  ({ digest, size, ...request }) =>
    ok({ request: toPresigned(request), entry: { digest: digest as Digest, size } }),
)

export const decodePartRequests: (json: unknown) => Result<MessageValues['PartRequests']> = decoder(
  'PartRequests',
  ({ parts }) => ok(parts.map(toPart)),
)

export const decodeService: (json: unknown) => Result<ServiceLimits> = decoder('Service', ({ limits }) =>
  ok({ maxArtifactBytes: limits.max_artifact_bytes, maxInlineBytes: limits.max_inline_bytes }),
)

/**
 * @param options what the response's headers add.
 * @returns the error; undefined if `json` is not a problem of Bucket's, such as a gateway's own.
 */
export const decodeProblem = (json: unknown, options: BucketErrorOptions = {}): BucketError | undefined =>
  typeof json === 'object' && json !== null ? fromProblem(json as JsonObject, options) : undefined

/** The decoders of the JSON bodies of requests. */
export const BODY_DECODERS = {
  BeginUpload: bodyDecoder('BeginUpload', ({ size, mode, ...description }) => ({
    size,
    mode: mode ?? undefined,
    description: decodeDescription(description),
  })),
  PresignParts: bodyDecoder('PresignParts', ({ parts }) => parts),
} satisfies { readonly [N in keyof MessageValues]?: (json: unknown) => DecodedBody<MessageValues[N]> }
