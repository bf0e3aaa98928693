/** Domain values as wire messages (docs/http-api.md, sections 2, 3 and 5 to 8). Loads no schema library: a fetch needs this module. */
import { type BucketError, ERRORS, type ErrorCode, type ErrorDetails, toError } from '../domain/errors.ts'
import {
  MAX_PAGE_LIMIT,
  MAX_PARTS_PER_REQUEST,
  MAX_SINGLE_BYTES,
  partCount,
  partSize,
} from '../domain/limits.ts'
import type { PartDigest, PresignedRequest, Upload, UploadTerms } from '../domain/upload.ts'
import { encodeDescription } from './description.ts'
import { encodeId, entryMessage } from './entry-message.ts'
import { DETAIL_MEMBERS, type DetailName, ERROR_STATUS } from './errors.ts'
import { placedError } from './input-error.ts'
import type { Message, MessageValues } from './messages.ts'
import { PROBLEM_TEXTS } from './problem-texts.ts'
import { API_ROOT, problemPath, ROUTES, uploadPath } from './routes.ts'

/** The request that a message answers. */
export interface WireContext {
  readonly requestId: string
  /** Scheme and authority that the client used. Paths on this server become absolute URLs with it, here and nowhere else. */
  readonly origin?: string
}

/** Leaves a path as it is where there is no origin, as in the output of the command line. */
const absoluteUrl = (url: string, origin: string | undefined): string =>
  origin === undefined ? url : new URL(url, origin).href

const encodePresigned = (
  { method, url, headers, expiresAt }: PresignedRequest,
  { origin }: WireContext,
): Message<'PresignedRequest'> => ({
  method,
  url: absoluteUrl(url, origin),
  headers: { ...headers },
  expires_at: expiresAt,
})

export function encodeUpload(upload: Upload, context: WireContext): Message<'Upload'> {
  const { id, size, description, mode, expiresAt: expires_at } = upload
  const facts = {
    ...encodeId(id),
    size,
    ...encodeDescription(description),
    mode,
    state: upload.state,
    expires_at,
  }
  switch (upload.state) {
    case 'open':
      if (upload.mode === 'multipart')
        return {
          ...facts,
          part_size: partSize(size),
          part_count: partCount(size),
          received: [...upload.received],
        }
      return {
        ...facts,
        received: upload.received,
        ...(upload.request && { request: encodePresigned(upload.request, context) }),
      }
    case 'verifying':
      return { ...facts, verified_bytes: upload.verifiedBytes }
    case 'committed':
      return { ...facts, entry: entryMessage(upload.entry) }
    case 'failed':
      return { ...facts, problem: encodeProblem(toError(upload.failure), context) }
  }
}

/** The members that every problem has, then those of its code (RFC 9457). */
export function encodeProblem(error: BucketError, context: WireContext): Message<'Problem'> {
  const { code, message, retryable } = error
  const { title, next } = PROBLEM_TEXTS[code]
  return {
    type: problemPath(code),
    title,
    status: ERROR_STATUS[code],
    detail: message,
    code,
    retryable,
    next: error.next ?? next,
    request_id: context.requestId,
    ...encodeDetails(error, context),
  }
}

/** The details of an error, under the names that they have on the wire. */
export function encodeDetails(
  { details }: { readonly details: ErrorDetails[ErrorCode] },
  context: WireContext,
): Record<string, unknown> {
  const members: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(details) as [DetailName, unknown][]) {
    if (value === undefined) continue
    const encode: ((value: never, context: WireContext) => unknown) | undefined = DETAIL_ENCODERS[name]
    members[DETAIL_MEMBERS[name]] = encode ? encode(value as never, context) : value
  }
  return members
}

type DetailValue<N extends DetailName> = {
  [C in ErrorCode]: N extends keyof ErrorDetails[C] ? NonNullable<ErrorDetails[C][N]> : never
}[ErrorCode]

/** Every detail that has another form on the wire. */
const DETAIL_ENCODERS: {
  readonly [N in DetailName]?: (value: DetailValue<N>, context: WireContext) => unknown
} = {
  errors: (errors) => errors.map(placedError),
  stored: entryMessage,
  upload: encodeUpload,
  uploadId: ({ ref, digest }) => uploadPath(ref, digest),
}

function explainCode(code: ErrorCode): Message<'ProblemPage'> {
  const { retryable } = ERRORS[code]
  return { type: problemPath(code), code, status: ERROR_STATUS[code], retryable, ...PROBLEM_TEXTS[code] }
}

const SERVICE_LINKS = {
  self: API_ROOT,
  health: `${API_ROOT}${ROUTES.health.path}`,
  openapi: `${API_ROOT}${ROUTES.openapi.path}`,
  problems: `${API_ROOT}${ROUTES.problems.path}`,
  versions: `${API_ROOT}${ROUTES.listVersions.path}`,
  version: `${API_ROOT}${ROUTES.fetch.path}`,
  upload: `${API_ROOT}${ROUTES.beginUpload.path}`,
}

export const encodeUploadTerms = ({ size, mode, description }: UploadTerms): Message<'BeginUpload'> => ({
  size,
  ...(mode && { mode }),
  ...encodeDescription(description),
})

export const encodePartDigests = (parts: readonly PartDigest[]): Message<'PresignParts'> => ({
  parts: parts.map(({ number, sha256 }) => ({ number, sha256 })),
})

/** The encoder of every message. */
export const ENCODERS: {
  readonly [N in keyof MessageValues]: (value: MessageValues[N], context: WireContext) => Message<N>
} = {
  Entry: entryMessage,
  VersionsPage: ({ entries, next }) => ({ versions: entries.map(entryMessage), next_cursor: next }),
  Download: ({ request, entry: { digest, size } }, context) => ({
    ...encodePresigned(request, context),
    method: 'GET',
    digest,
    size,
  }),
  Upload: encodeUpload,
  BeginUpload: encodeUploadTerms,
  PresignParts: encodePartDigests,
  PartRequests: (parts, context) => ({
    parts: parts.map(({ number, request }) => ({ number, request: encodePresigned(request, context) })),
  }),
  Service: ({ maxArtifactBytes, maxInlineBytes }) => ({
    service: 'bucket',
    api_version: 'v1',
    limits: {
      max_artifact_bytes: maxArtifactBytes,
      max_inline_bytes: maxInlineBytes,
      max_single_bytes: Math.min(MAX_SINGLE_BYTES, maxArtifactBytes),
      max_parts_per_request: MAX_PARTS_PER_REQUEST,
      max_page_limit: MAX_PAGE_LIMIT,
    },
    links: SERVICE_LINKS,
  }),
  Health: (status) => ({ status }),
  Problem: encodeProblem,
  ProblemPage: explainCode,
  ProblemPages: (codes) => ({ problems: codes.map(explainCode) }),
}
