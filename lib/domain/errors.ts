/**
 * Every refusal and failure of Bucket: one class, one closed table of codes. The rules know no HTTP status:
 * `lib/protocol` maps each code to one.
 */

import type { Digest } from './digest.ts'
import type { DigestMismatch, FailureCode, UploadFailure, VersionConflict } from './failure.ts'
import type { ReceivedPart, Upload, UploadId } from './upload.ts'
import type { ValidationError } from './validation.ts'

type None = Record<never, never>

/** What an error carries in addition to its code and its sentence. */
export interface ErrorDetails {
  invalid_request: { readonly errors: readonly ValidationError[] }
  digest_mismatch: DigestMismatch
  unauthorized: None
  forbidden: None
  route_not_found: None
  version_not_found: None
  upload_not_found: None
  method_not_allowed: None
  request_timeout: None
  version_exists: VersionConflict
  upload_incomplete: {
    readonly received: readonly ReceivedPart[] | boolean
    /** Part numbers. */
    readonly missing: readonly number[]
  }
  upload_conflict: { readonly upload?: Upload }
  digest_differs: { readonly expectedDigest: Digest | null; readonly storedDigest: Digest }
  precondition_failed: Partial<VersionConflict>
  /** Bytes; `size` is absent where the sender did not announce it. */
  artifact_too_large: { readonly size?: number; readonly maxArtifactBytes: number }
  /** Bytes; `uploadId` names the upload that can carry these bytes. */
  inline_too_large: { readonly size?: number; readonly maxInlineBytes: number; readonly uploadId?: UploadId }
  uri_too_long: None
  unsupported_content_encoding: None
  range_not_satisfiable: None
  host_not_allowed: None
  throttled: None
  headers_too_large: None
  internal: None
  unavailable: None
  insufficient_storage: None
}

export type ErrorCode = keyof ErrorDetails

/** What the table says of one code. */
export interface ErrorRule {
  readonly retryable: boolean
  readonly title: string
  /** What it means, for the page of the code. */
  readonly meaning: string
  /** What the caller should do; a `BucketError` may say it more precisely. */
  readonly next: string
}

export const ERRORS: { readonly [C in ErrorCode]: ErrorRule } = {
  invalid_request: {
    retryable: false,
    title: 'The request is malformed',
    meaning:
      'One or more inputs break their rules. Every fault is listed in errors, with where it stood and what is expected.',
    next: 'Correct every input listed in errors and send the request again.',
  },
  digest_mismatch: {
    retryable: false,
    title: 'The bytes do not have the declared digest',
    meaning:
      'Bucket hashed the bytes that it received and found another SHA-256 than the one declared. Nothing was stored.',
    next: 'Compute the digest over exactly the bytes that you send and store again; if the digest is right, the bytes changed on the way.',
  },
  unauthorized: {
    retryable: false,
    title: 'The caller is not known',
    meaning: 'The gateway in front of Bucket got no credentials, or none that it accepts.',
    next: 'Sign the request or send the token that this deployment asks for.',
  },
  forbidden: {
    retryable: false,
    title: 'The caller is not allowed to do this',
    meaning: 'The gateway in front of Bucket knows the caller and refuses the request.',
    next: 'Ask whoever runs this deployment for access, or use other credentials.',
  },
  route_not_found: {
    retryable: false,
    title: 'There is no such resource',
    meaning:
      'The path is none of this API. Bucket has no "latest", no search, no delete, and no listing of buckets or artifacts.',
    next: 'Compare the path with GET /v1/openapi.json.',
  },
  version_not_found: {
    retryable: false,
    title: 'This version is not stored',
    meaning: 'The ledger was asked and has no entry under exactly this reference.',
    next: 'Check the reference, byte by byte; your own registry knows what was stored.',
  },
  upload_not_found: {
    retryable: false,
    title: 'There is no such upload',
    meaning:
      'No upload of this digest to this reference is under way: none was begun, it was given up, or it expired.',
    next: 'Begin one with PUT on this path.',
  },
  method_not_allowed: {
    retryable: false,
    title: 'This resource does not take that method',
    meaning:
      'The path is known, the method is none of its own. Stored artifacts cannot be changed or deleted.',
    next: 'Use one of the methods in the Allow header.',
  },
  request_timeout: {
    retryable: true,
    title: 'The sender stalled',
    meaning: 'No byte of the request arrived for longer than the server waits. Nothing was stored.',
    next: 'Send the request again.',
  },
  version_exists: {
    retryable: false,
    title: 'This version is stored already',
    meaning:
      'A version is stored once and never replaced. conflict says whether the stored bytes are those of the declared digest.',
    next: 'Identical: treat it as done. Different: choose a new version.',
  },
  upload_incomplete: {
    retryable: false,
    title: 'Bytes are still missing',
    meaning:
      'The upload cannot be committed yet: missing names parts that have not arrived (the first 100). It stays open.',
    next: 'Ask for requests for the missing parts, send them, and commit again.',
  },
  upload_conflict: {
    retryable: false,
    title: 'The upload is not in the state for this',
    meaning: 'The upload that is there, shown in upload, does not allow the request.',
    next: 'Look at upload: while open it can be given up with DELETE and begun anew; while verifying, wait; once committed, nothing is left to do.',
  },
  digest_differs: {
    retryable: false,
    title: 'The stored artifact has another digest',
    meaning: 'The reference is stored, but not with the digest that was asked for.',
    next: 'Do not use these bytes as what you expected; check where the expected digest comes from.',
  },
  precondition_failed: {
    retryable: false,
    title: 'A precondition of the request does not hold',
    meaning:
      'A store asked with If-None-Match: * for the version to be absent, and it is stored already; or a fetch asked with If-Unmodified-Since for an earlier one.',
    next: 'Identical: treat it as done. Different: choose a new version.',
  },
  artifact_too_large: {
    retryable: false,
    title: 'The artifact is too large',
    meaning: 'The artifact is larger than max_artifact_bytes, the limit that this deployment sets.',
    next: 'Store it as several artifacts with a manifest, or have the limit raised.',
  },
  inline_too_large: {
    retryable: false,
    title: 'The artifact is too large for one request',
    meaning: 'This front takes at most max_inline_bytes in a request body; larger artifacts go by an upload.',
    next: 'Begin an upload: PUT on the path in upload.',
  },
  uri_too_long: {
    retryable: false,
    title: 'The request target is too long',
    meaning: 'The path and query together are longer than 8 KiB.',
    next: 'Shorten the request target; no reference needs that length.',
  },
  unsupported_content_encoding: {
    retryable: false,
    title: 'Content codings are not taken',
    meaning: 'Bytes are opaque: a content coding would change what the digest means.',
    next: 'Send the bytes without Content-Encoding; compressed bytes are stored as they are, with the digest of the compressed bytes.',
  },
  range_not_satisfiable: {
    retryable: false,
    title: 'The range is outside the artifact',
    meaning: 'The requested range begins behind the last byte. Content-Range tells the size.',
    next: 'Ask for a range within the size.',
  },
  host_not_allowed: {
    retryable: false,
    title: 'This server does not answer for that host',
    meaning:
      'Host or Origin is none of the names of this server: the request may come from a page that was tricked into sending it (DNS rebinding).',
    next: 'Use the loopback address that the server printed, or start it with --public-url for another name.',
  },
  throttled: {
    retryable: true,
    title: 'Too many requests',
    meaning: 'The gateway or a quota slows this caller down.',
    next: 'Wait as long as Retry-After says and send the request again.',
  },
  headers_too_large: {
    retryable: false,
    title: 'The headers are too large',
    meaning: 'The headers of the request are larger than 16 KiB together.',
    next: 'Send fewer or shorter headers.',
  },
  internal: {
    retryable: true,
    title: 'Something broke inside',
    meaning: 'A fault that Bucket did not expect. What was stored before is untouched.',
    next: 'Send the request again; if it stays, give request_id to whoever runs this deployment.',
  },
  unavailable: {
    retryable: true,
    title: 'A store does not answer',
    meaning:
      'The ledger or the blob store failed, throttled or took too long. It says nothing about whether an artifact is stored.',
    next: 'Wait as long as Retry-After says and send the request again: every request is safe to repeat.',
  },
  insufficient_storage: {
    retryable: false,
    title: 'The disk is full',
    meaning: 'The folder of the local server has no room for these bytes. Nothing was stored.',
    next: 'Free space on the disk of the data folder, then send the request again.',
  },
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text)

export interface BucketErrorOptions {
  /** What to do, where the table's sentence can be said more precisely. */
  readonly next?: string
  /** Seconds to wait before a retry. */
  readonly retryAfter?: number
  /** Set by a client: the request that was refused. */
  readonly requestId?: string
  readonly cause?: unknown
}

/** A refusal or failure with a code of the closed table. `message` says what happened to this request. */
export class BucketError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'BucketError'
  readonly code: C
  readonly details: ErrorDetails[C]
  readonly next: string
  readonly retryAfter: number | undefined
  readonly requestId: string | undefined

  constructor(code: C, message: string, details: ErrorDetails[C], options: BucketErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = details
    this.next = options.next ?? ERRORS[code].next
    this.retryAfter = options.retryAfter
    this.requestId = options.requestId
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  /** All invalid inputs of a request in one error. */
  static invalidRequest(errors: readonly ValidationError[]): BucketError<'invalid_request'> {
    const [first] = errors
    const message =
      errors.length === 1 && first
        ? `${first.in === undefined ? '' : `${first.in} `}${first.name} ${first.detail}`
        : `${errors.length} inputs are invalid: ${errors.map(({ name }) => name).join(', ')}`
    return new BucketError('invalid_request', message, { errors })
  }

  /** A store that failed or did not answer: never "not found". */
  static unavailable(message: string, cause?: unknown, retryAfter = 1): BucketError<'unavailable'> {
    return new BucketError('unavailable', message, {}, { cause, retryAfter })
  }
}

/** Narrows an unknown failure to a `BucketError` of one code. */
export const isBucketError = <C extends ErrorCode>(error: unknown, code: C): error is BucketError<C> =>
  error instanceof BucketError && error.code === code

/** The part of an error that an upload's row keeps. */
export const toFailure = <C extends FailureCode>({ code, message, details }: BucketError<C>): UploadFailure =>
  // The class holds code and details together, which the mapped union cannot see.
  ({ code, detail: message, details }) as UploadFailure

/**
 * The error of a failed upload. The failure is final for this upload even if the stores work again, so an `unavailable`
 * one asks for a new upload.
 */
export const toError = ({ code, detail, details }: UploadFailure): BucketError<FailureCode> =>
  new BucketError<FailureCode>(
    code,
    detail,
    details,
    code === 'unavailable'
      ? { retryAfter: 1, next: 'Begin the upload again with PUT, and send its bytes again.' }
      : {},
  )
