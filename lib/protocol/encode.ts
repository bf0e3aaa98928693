/** Domain values as wire messages (docs/http-api.md, sections 3, 7 and 8). */
import { type BucketError, ERRORS, type ErrorCode, type ErrorDetails, toError } from '../domain/errors.ts'
import { partCount, partSize } from '../domain/limits.ts'
import type { PresignedRequest, Upload } from '../domain/upload.ts'
import { entryMessage } from './entry-message.ts'
import { DETAIL_MEMBERS, type DetailName, ERROR_STATUS } from './errors.ts'
import type { PresignedRequestMessage, ProblemMessage, UploadMessage } from './messages.ts'
import { problemPath, uploadPath } from './routes.ts'

/** The request that a message answers. */
export interface WireContext {
  readonly requestId: string
  /** Scheme and authority that the client used: URLs on this server become absolute with them. */
  readonly origin?: string
}

export const encodePresigned = (
  { method, url, headers, expiresAt }: PresignedRequest,
  { origin }: WireContext,
): PresignedRequestMessage => ({
  method,
  url: origin === undefined ? url : new URL(url, origin).href,
  headers: { ...headers },
  expires_at: expiresAt,
})

export function encodeUpload(upload: Upload, context: WireContext): UploadMessage {
  const { id, size, description, mode, expiresAt } = upload
  const base = {
    bucket_id: id.ref.bucketId,
    artifact_id: id.ref.artifactId,
    version: id.ref.version,
    digest: id.digest,
    size,
    content_type: description.contentType,
    uploaded_by: description.uploadedBy,
    provenance_source: description.provenanceSource,
    mode,
    state: upload.state,
    expires_at: expiresAt,
  }
  switch (upload.state) {
    case 'open':
      if (upload.mode === 'multipart')
        return {
          ...base,
          part_size: partSize(size),
          part_count: partCount(size),
          received: [...upload.received],
        }
      return {
        ...base,
        received: upload.received,
        ...(upload.request && { request: encodePresigned(upload.request, context) }),
      }
    case 'verifying':
      return { ...base, verified_bytes: upload.verifiedBytes }
    case 'committed':
      return { ...base, entry: entryMessage(upload.entry) }
    case 'failed':
      return { ...base, problem: encodeProblem(toError(upload.failure), context) }
  }
}

/** The members that every problem has, then those of its code (RFC 9457). */
export function encodeProblem(error: BucketError, context: WireContext): ProblemMessage {
  const { code, message, next } = error
  const { title, retryable } = ERRORS[code]
  return {
    type: problemPath(code),
    title,
    status: ERROR_STATUS[code],
    detail: message,
    code,
    retryable,
    next,
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
    const encode: ((value: never, context: WireContext) => unknown) | undefined = ENCODERS[name]
    members[DETAIL_MEMBERS[name]] = encode ? encode(value as never, context) : value
  }
  return members
}

type DetailValue<N extends DetailName> = {
  [C in ErrorCode]: N extends keyof ErrorDetails[C] ? NonNullable<ErrorDetails[C][N]> : never
}[ErrorCode]

/** Every detail that has another form on the wire. */
const ENCODERS: { readonly [N in DetailName]?: (value: DetailValue<N>, context: WireContext) => unknown } = {
  // The rules name an input without knowing where in the request it stood: in the body, unless the handler says otherwise.
  errors: (errors) => errors.map((error) => ({ in: 'body', ...error })),
  stored: entryMessage,
  upload: encodeUpload,
  uploadId: ({ ref, digest }) => uploadPath(ref, digest),
}
