/**
 * Every refusal and failure of Bucket: one class, one closed table of codes. The rules know no HTTP status:
 * `lib/protocol` maps each code to one.
 */

import type { Digest } from './digest.ts'
import type { DigestMismatch, FailureCode, UploadFailure, VersionConflict } from './failure.ts'
import type { ReceivedPart, Upload, UploadId } from './upload.ts'
import type { ValidationError } from './validation.ts'

type None = Record<never, never>

/** The details of each code, in addition to its message. */
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

/** The row of one code. */
export interface ErrorRule {
  readonly retryable: boolean
  readonly title: string
  /** The meaning, for the page of the code. */
  readonly meaning: string
  /** The next step of the caller; a `BucketError` may name a more precise one. */
  readonly next: string
}

export const ERRORS: { readonly [C in ErrorCode]: ErrorRule } = {
  invalid_request: {
    retryable: false,
    title: 'Invalid request',
    meaning:
      'One or more inputs are invalid. errors lists each of them, with its place in the request and the expected form.',
    next: 'Correct every input listed in errors and send the request again.',
  },
  digest_mismatch: {
    retryable: false,
    title: 'The bytes do not have the declared digest',
    meaning:
      'Bucket computed the SHA-256 of the received bytes, and it is not the declared one. Nothing was stored.',
    next: 'Compute the digest of exactly the bytes that you send, then store again. If the digest is right, the bytes changed in transit.',
  },
  unauthorized: {
    retryable: false,
    title: 'The caller is not authenticated',
    meaning: 'The gateway in front of Bucket received no valid credentials.',
    next: 'Sign the request, or send the token that this deployment requires.',
  },
  forbidden: {
    retryable: false,
    title: 'The caller is not authorized',
    meaning: 'The gateway in front of Bucket identified the caller and refused the request.',
    next: 'Ask the operator of this deployment for access, or use other credentials.',
  },
  route_not_found: {
    retryable: false,
    title: 'Unknown path',
    meaning:
      'This API has no such path. Bucket has no "latest", no search, no deletion, and no listing of buckets or artifacts.',
    next: 'Compare the path with GET /v1/openapi.json.',
  },
  version_not_found: {
    retryable: false,
    title: 'This version is not stored',
    meaning: 'The ledger has no entry with exactly this reference.',
    next: 'Check bucket_id, artifact_id and version; they are compared byte by byte.',
  },
  upload_not_found: {
    retryable: false,
    title: 'There is no such upload',
    meaning:
      'There is no unfinished upload of this digest to this reference: it never began, was aborted, or expired.',
    next: 'Begin an upload with PUT on this path.',
  },
  method_not_allowed: {
    retryable: false,
    title: 'Method not allowed',
    meaning:
      'The path exists, but does not support this method. Stored artifacts cannot be changed or deleted.',
    next: 'Use one of the methods in the Allow header.',
  },
  request_timeout: {
    retryable: true,
    title: 'The sender stalled',
    meaning: 'The server received no byte of the request within its time limit. Nothing was stored.',
    next: 'Send the request again.',
  },
  version_exists: {
    retryable: false,
    title: 'This version is already stored',
    meaning:
      'A version is stored once and never replaced. conflict tells whether the stored bytes have the declared digest.',
    next: 'Identical: treat the store as done. Different: choose a new version.',
  },
  upload_incomplete: {
    retryable: false,
    title: 'The upload is incomplete',
    meaning:
      'The upload cannot be committed yet. missing lists the first 100 parts that have not arrived. The upload stays open.',
    next: 'Get requests for the missing parts, send the parts, and commit again.',
  },
  upload_conflict: {
    retryable: false,
    title: "Operation not allowed in the upload's current state",
    meaning: 'The existing upload, shown in upload, does not allow this request.',
    next: 'Check the state of upload. Open: abort it with DELETE and begin again. Verifying: wait. Committed: nothing is left to do.',
  },
  digest_differs: {
    retryable: false,
    title: 'The stored artifact has another digest',
    meaning: 'The version is stored, but not with the expected digest.',
    next: 'Do not use the stored bytes in place of the expected ones. Check where the expected digest comes from.',
  },
  precondition_failed: {
    retryable: false,
    title: 'A precondition of the request failed',
    meaning:
      'A store with If-None-Match: * requires that the version is absent, but it is already stored. Or a fetch with If-Unmodified-Since names a time before the store.',
    next: 'Identical: treat the store as done. Different: choose a new version.',
  },
  artifact_too_large: {
    retryable: false,
    title: 'The artifact is too large',
    meaning: 'The artifact is larger than max_artifact_bytes, the limit of this deployment.',
    next: 'Store it as several artifacts with a manifest, or ask the operator to raise the limit.',
  },
  inline_too_large: {
    retryable: false,
    title: 'The artifact is too large for one request',
    meaning:
      'This server accepts at most max_inline_bytes in a request body. Larger artifacts need an upload.',
    next: 'Begin an upload with PUT on the path in upload.',
  },
  uri_too_long: {
    retryable: false,
    title: 'The request target is too long',
    meaning: 'The path and query together are longer than 8 KiB.',
    next: 'Shorten the request target. No valid reference is that long.',
  },
  unsupported_content_encoding: {
    retryable: false,
    title: 'Content codings are not supported',
    meaning: 'Bucket stores opaque bytes. A content coding makes it ambiguous which bytes have the digest.',
    next: 'Send the bytes without Content-Encoding. To store compressed bytes, declare the digest of the compressed bytes.',
  },
  range_not_satisfiable: {
    retryable: false,
    title: 'The range is outside the artifact',
    meaning: 'The requested range begins after the last byte. Content-Range tells the size.',
    next: 'Request a range within the size.',
  },
  host_not_allowed: {
    retryable: false,
    title: 'Host not allowed',
    meaning:
      'Host or Origin is not a name of this server. A malicious page may have sent the request (DNS rebinding).',
    next: 'Use the loopback address that the server printed, or start the server with --public-url for another name.',
  },
  throttled: {
    retryable: true,
    title: 'Too many requests',
    meaning: 'The caller exceeded the rate limit or the quota of the gateway.',
    next: 'Wait for the seconds in Retry-After, then send the request again.',
  },
  headers_too_large: {
    retryable: false,
    title: 'The headers are too large',
    meaning: 'The headers of the request are larger than 16 KiB in total.',
    next: 'Send fewer or shorter headers.',
  },
  internal: {
    retryable: true,
    title: 'Internal error',
    meaning: 'Bucket met an unexpected error. Stored artifacts are not affected.',
    next: 'Send the request again. If the error persists, give request_id to the operator of this deployment.',
  },
  unavailable: {
    retryable: true,
    title: 'Storage is unavailable',
    meaning:
      'The ledger or the blob store failed, throttled or took too long. The artifact may or may not be stored.',
    next: 'Wait for the seconds in Retry-After, then send the request again. Every request is safe to repeat.',
  },
  insufficient_storage: {
    retryable: false,
    title: 'The disk is full',
    meaning: 'The disk of the data folder has no space for these bytes. Nothing was stored.',
    next: 'Free space on the disk of the data folder, then send the request again.',
  },
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text)

export interface BucketErrorOptions {
  /** A more precise next step than that of the table. */
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
        ? `${placeOf(first)} ${first.detail}`
        : `${errors.length} inputs are invalid: ${errors.map(({ name }) => name).join(', ')}`
    return new BucketError('invalid_request', message, { errors })
  }

  /** A store that failed or did not answer: never "not found". */
  static unavailable(message: string, cause?: unknown, retryAfter = 1): BucketError<'unavailable'> {
    return new BucketError('unavailable', message, {}, { cause, retryAfter })
  }
}

const placeOf = ({ in: location, name }: ValidationError): string => {
  if (location === undefined) return name
  return location === 'body' && name === 'body' ? 'the body' : `${location} ${name}`
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
