/**
 * Every way in which Bucket says no: one class, one closed table of codes.
 * The table gives status, retryability and the words; a code is written nowhere else as a status.
 */

import type { EntryMessage } from '../protocol/entry-message.ts'
import type { ReceivedPartMessage, UploadMessage } from '../protocol/messages.ts'
import type { Digest } from './digest.ts'
import type { Fault } from './validation.ts'

/** Whether the stored bytes are those of the declared digest. */
export type Conflict = 'identical' | 'different'

interface ConflictMembers {
  readonly conflict: Conflict
  readonly declared_digest: string
  readonly stored: EntryMessage
}

type None = Record<never, never>

/** What a problem carries beside the members that all have (docs/http-api.md, section 8). */
export interface ProblemMembers {
  invalid_request: { readonly errors: readonly Fault[] }
  digest_mismatch: {
    readonly declared_digest: Digest
    readonly computed_digest?: Digest
    readonly size?: number
    readonly hint?: string
  }
  unauthorized: None
  forbidden: None
  route_not_found: None
  version_not_found: None
  upload_not_found: None
  method_not_allowed: None
  request_timeout: None
  version_exists: ConflictMembers
  upload_incomplete: {
    readonly received: readonly ReceivedPartMessage[] | boolean
    readonly missing: readonly number[]
  }
  upload_conflict: { readonly upload?: UploadMessage }
  digest_differs: { readonly expected_digest: Digest | null; readonly stored_digest: Digest }
  precondition_failed: Partial<ConflictMembers>
  artifact_too_large: { readonly size?: number; readonly max_artifact_bytes: number }
  inline_too_large: { readonly size?: number; readonly max_inline_bytes: number; readonly upload?: string }
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

export type ErrorCode = keyof ProblemMembers

/** What the table says of one code. */
export interface ErrorRule {
  readonly status: number
  readonly retryable: boolean
  readonly title: string
  /** What it means, for the page of the code. */
  readonly meaning: string
  /** What the caller should do; a `BucketError` may say it more precisely. */
  readonly next: string
}

export const ERRORS: { readonly [C in ErrorCode]: ErrorRule } = {
  invalid_request: {
    status: 400,
    retryable: false,
    title: 'The request is malformed',
    meaning:
      'One or more inputs break their rules. Every fault is listed in errors, with where it stood and what is expected.',
    next: 'Correct every input listed in errors and send the request again.',
  },
  digest_mismatch: {
    status: 400,
    retryable: false,
    title: 'The bytes do not have the declared digest',
    meaning:
      'Bucket hashed the bytes that it received and found another SHA-256 than the one declared. Nothing was stored.',
    next: 'Compute the digest over exactly the bytes that you send and store again; if the digest is right, the bytes changed on the way.',
  },
  unauthorized: {
    status: 401,
    retryable: false,
    title: 'The caller is not known',
    meaning: 'The gateway in front of Bucket got no credentials, or none that it accepts.',
    next: 'Sign the request or send the token that this deployment asks for.',
  },
  forbidden: {
    status: 403,
    retryable: false,
    title: 'The caller is not allowed to do this',
    meaning: 'The gateway in front of Bucket knows the caller and refuses the request.',
    next: 'Ask whoever runs this deployment for access, or use other credentials.',
  },
  route_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such resource',
    meaning:
      'The path is none of this API. Bucket has no "latest", no search, no delete, and no listing of buckets or artifacts.',
    next: 'Compare the path with GET /v1/openapi.json.',
  },
  version_not_found: {
    status: 404,
    retryable: false,
    title: 'This version is not stored',
    meaning: 'The ledger was asked and has no entry under exactly this reference.',
    next: 'Check the reference, byte by byte; your own registry knows what was stored.',
  },
  upload_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such upload',
    meaning:
      'No upload of this digest to this reference is under way: none was begun, it was given up, or it expired.',
    next: 'Begin one with PUT on this path.',
  },
  method_not_allowed: {
    status: 405,
    retryable: false,
    title: 'This resource does not take that method',
    meaning:
      'The path is known, the method is none of its own. Stored artifacts cannot be changed or deleted.',
    next: 'Use one of the methods in the Allow header.',
  },
  request_timeout: {
    status: 408,
    retryable: true,
    title: 'The sender stalled',
    meaning: 'No byte of the request arrived for longer than the server waits. Nothing was stored.',
    next: 'Send the request again.',
  },
  version_exists: {
    status: 409,
    retryable: false,
    title: 'This version is stored already',
    meaning:
      'A version is stored once and never replaced. conflict says whether the stored bytes are those of the declared digest.',
    next: 'Identical: treat it as done. Different: choose a new version.',
  },
  upload_incomplete: {
    status: 409,
    retryable: false,
    title: 'Bytes are still missing',
    meaning:
      'The upload cannot be committed yet: missing names parts that have not arrived (the first 100). It stays open.',
    next: 'Ask for requests for the missing parts, send them, and commit again.',
  },
  upload_conflict: {
    status: 409,
    retryable: false,
    title: 'The upload is not in the state for this',
    meaning: 'The upload that is there, shown in upload, does not allow the request.',
    next: 'Look at upload: while open it can be given up with DELETE and begun anew; while verifying, wait; once committed, nothing is left to do.',
  },
  digest_differs: {
    status: 412,
    retryable: false,
    title: 'The stored artifact has another digest',
    meaning: 'The reference is stored, but not with the digest that was asked for.',
    next: 'Do not use these bytes as what you expected; check where the expected digest comes from.',
  },
  precondition_failed: {
    status: 412,
    retryable: false,
    title: 'A precondition of the request does not hold',
    meaning:
      'A store asked with If-None-Match: * for the version to be absent, and it is stored already; or a fetch asked with If-Unmodified-Since for an earlier one.',
    next: 'Identical: treat it as done. Different: choose a new version.',
  },
  artifact_too_large: {
    status: 413,
    retryable: false,
    title: 'The artifact is too large',
    meaning: 'The artifact is larger than max_artifact_bytes, the limit that this deployment sets.',
    next: 'Store it as several artifacts with a manifest, or have the limit raised.',
  },
  inline_too_large: {
    status: 413,
    retryable: false,
    title: 'The artifact is too large for one request',
    meaning: 'This front takes at most max_inline_bytes in a request body; larger artifacts go by an upload.',
    next: 'Begin an upload: PUT on the path in upload.',
  },
  uri_too_long: {
    status: 414,
    retryable: false,
    title: 'The request target is too long',
    meaning: 'The path and query together are longer than 8 KiB.',
    next: 'Shorten the request target; no reference needs that length.',
  },
  unsupported_content_encoding: {
    status: 415,
    retryable: false,
    title: 'Content codings are not taken',
    meaning: 'Bytes are opaque: a content coding would change what the digest means.',
    next: 'Send the bytes without Content-Encoding; compressed bytes are stored as they are, with the digest of the compressed bytes.',
  },
  range_not_satisfiable: {
    status: 416,
    retryable: false,
    title: 'The range is outside the artifact',
    meaning: 'The requested range begins behind the last byte. Content-Range tells the size.',
    next: 'Ask for a range within the size.',
  },
  host_not_allowed: {
    status: 421,
    retryable: false,
    title: 'This server does not answer for that host',
    meaning:
      'Host or Origin is none of the names of this server: the request may come from a page that was tricked into sending it (DNS rebinding).',
    next: 'Use the loopback address that the server printed, or start it with --public-url for another name.',
  },
  throttled: {
    status: 429,
    retryable: true,
    title: 'Too many requests',
    meaning: 'The gateway or a quota slows this caller down.',
    next: 'Wait as long as Retry-After says and send the request again.',
  },
  headers_too_large: {
    status: 431,
    retryable: false,
    title: 'The headers are too large',
    meaning: 'The headers of the request are larger than 16 KiB together.',
    next: 'Send fewer or shorter headers.',
  },
  internal: {
    status: 500,
    retryable: true,
    title: 'Something broke inside',
    meaning: 'A fault that Bucket did not expect. What was stored before is untouched.',
    next: 'Send the request again; if it stays, give request_id to whoever runs this deployment.',
  },
  unavailable: {
    status: 503,
    retryable: true,
    title: 'A store does not answer',
    meaning:
      'The ledger or the blob store failed, throttled or took too long. It says nothing about whether an artifact is stored.',
    next: 'Wait as long as Retry-After says and send the request again: every request is safe to repeat.',
  },
  insufficient_storage: {
    status: 507,
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
  readonly members: ProblemMembers[C]
  readonly next: string
  readonly retryAfter: number | undefined
  readonly requestId: string | undefined

  constructor(code: C, detail: string, members: ProblemMembers[C], options: BucketErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.members = members
    this.next = options.next ?? ERRORS[code].next
    this.retryAfter = options.retryAfter
    this.requestId = options.requestId
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  /** All faults of a request in one error. */
  static invalidRequest(errors: readonly Fault[]): BucketError<'invalid_request'> {
    const [first] = errors
    const detail =
      errors.length === 1 && first
        ? `${first.in} ${first.name} ${first.detail}`
        : `${errors.length} inputs are faulty: ${errors.map(({ name }) => name).join(', ')}`
    return new BucketError('invalid_request', detail, { errors })
  }

  /** A store that failed or did not answer: never "not found". */
  static unavailable(detail: string, cause?: unknown, retryAfter = 1): BucketError<'unavailable'> {
    return new BucketError('unavailable', detail, {}, { cause, retryAfter })
  }
}

/** Narrows an unknown failure to a `BucketError` of one code. */
export const isBucketError = <C extends ErrorCode>(error: unknown, code: C): error is BucketError<C> =>
  error instanceof BucketError && error.code === code
