/**
 * Every refusal and failure of Bucket: one class, one closed table of codes. `lib/protocol` gives each code its HTTP status and
 * its texts, `lib/cli` its words on the command line.
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
  blob_lost: None
  unavailable: None
  insufficient_storage: None
}

export type ErrorCode = keyof ErrorDetails

/** The rule for every error of one code. */
interface ErrorRule {
  /** Whether the same call can succeed later. */
  readonly retryable: boolean
}

const FINAL: ErrorRule = { retryable: false }
const RETRYABLE: ErrorRule = { retryable: true }

export const ERRORS: { readonly [C in ErrorCode]: ErrorRule } = {
  invalid_request: FINAL,
  digest_mismatch: FINAL,
  unauthorized: FINAL,
  forbidden: FINAL,
  route_not_found: FINAL,
  version_not_found: FINAL,
  upload_not_found: FINAL,
  method_not_allowed: FINAL,
  request_timeout: RETRYABLE,
  version_exists: FINAL,
  upload_incomplete: FINAL,
  upload_conflict: FINAL,
  digest_differs: FINAL,
  precondition_failed: FINAL,
  artifact_too_large: FINAL,
  inline_too_large: FINAL,
  uri_too_long: FINAL,
  unsupported_content_encoding: FINAL,
  range_not_satisfiable: FINAL,
  host_not_allowed: FINAL,
  throttled: RETRYABLE,
  headers_too_large: FINAL,
  internal: RETRYABLE,
  blob_lost: FINAL,
  unavailable: RETRYABLE,
  insufficient_storage: FINAL,
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text)

export interface BucketErrorOptions {
  /** The caller's next step, if this error knows more than its code tells. */
  readonly next?: string
  /** Seconds to wait before a retry. */
  readonly retryAfter?: number
  /** Whether the same call can succeed later, where that is not what the code says. */
  readonly retryable?: boolean
  /** Set by a client: the request that was refused. */
  readonly requestId?: string
  readonly cause?: unknown
}

/** A refusal or failure with a code of the closed table. `message` says what happened to this request. */
export class BucketError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'BucketError'
  readonly code: C
  readonly details: ErrorDetails[C]
  /** The caller's next step, where the error knows more than its code tells. The refusal of a server always has one. */
  readonly next: string | undefined
  readonly retryAfter: number | undefined
  readonly retryable: boolean
  readonly requestId: string | undefined

  constructor(code: C, message: string, details: ErrorDetails[C], options: BucketErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = details
    this.next = options.next
    this.retryAfter = options.retryAfter
    this.retryable = options.retryable ?? ERRORS[code].retryable
    this.requestId = options.requestId
  }

  /** All invalid inputs of a request in one error. */
  static invalidRequest(errors: readonly ValidationError[]): BucketError<'invalid_request'> {
    const [first] = errors
    const message =
      errors.length === 1 && first
        ? `${first.name} ${first.detail}`
        : `${errors.length} inputs are invalid: ${errors.map(({ name }) => name).join(', ')}`
    return new BucketError('invalid_request', message, { errors })
  }

  /** @param size in bytes; undefined if the sender did not announce it. */
  static artifactTooLarge(
    size: number | undefined,
    maxArtifactBytes: number,
  ): BucketError<'artifact_too_large'> {
    const bytes = size === undefined ? 'these bytes' : `${size} bytes`
    return new BucketError(
      'artifact_too_large',
      `${bytes} exceed the limit of ${maxArtifactBytes} bytes for one artifact`,
      { ...(size !== undefined && { size }), maxArtifactBytes },
    )
  }

  /** A store that failed or did not answer: never "not found". */
  static unavailable(message: string, cause?: unknown, retryAfter = 1): BucketError<'unavailable'> {
    return new BucketError('unavailable', message, {}, { cause, retryAfter })
  }

  /**
   * A store that failed and does not recover by itself.
   *
   * @param remedy what its operator does, such as `restart the server`.
   */
  static needsOperator(message: string, remedy: string, cause?: unknown): BucketError<'unavailable'> {
    const next = `Tell the operator of the service: ${remedy}. A retry does not help.`
    return new BucketError('unavailable', message, {}, { retryable: false, next, cause })
  }

  /** Damage to the ledger leaves open whether a version is stored. */
  static ledgerDamaged(message: string): BucketError<'unavailable'> {
    const remedy =
      'stop the server and run `bucket fsck` on its folder, which says what is damaged; a backup of the ledger brings it back'
    return BucketError.needsOperator(message, remedy)
  }

  /** The ledger promises a blob, and the blob store does not have its bytes. @param cause for the operator: what was found instead. */
  static blobLost(message: string, cause: string): BucketError<'blob_lost'> {
    return new BucketError('blob_lost', message, {}, { cause: new Error(cause) })
  }
}

/** Narrows an unknown failure to a `BucketError` of one code. */
export const isBucketError = <C extends ErrorCode>(error: unknown, code: C): error is BucketError<C> =>
  error instanceof BucketError && error.code === code

/** Whether a retry does not help, although it does for most errors of this code: a store that needs its operator stays `unavailable`. */
export const isFinal = ({ code, retryable }: BucketError): boolean => !retryable && ERRORS[code].retryable

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
      ? { retryAfter: 1, next: 'Begin the upload again, and send its bytes again.' }
      : {},
  )
