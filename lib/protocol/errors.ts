/** How errors look on the wire: the status of every code, and the names of the details (docs/http-api.md, section 8). */
import type { ErrorCode, ErrorDetails } from '../domain/errors.ts'

/** The HTTP status of every code. */
export const ERROR_STATUS: { readonly [C in ErrorCode]: number } = {
  invalid_request: 400,
  digest_mismatch: 400,
  unauthorized: 401,
  forbidden: 403,
  route_not_found: 404,
  version_not_found: 404,
  upload_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  version_exists: 409,
  upload_incomplete: 409,
  upload_conflict: 409,
  digest_differs: 412,
  precondition_failed: 412,
  artifact_too_large: 413,
  inline_too_large: 413,
  uri_too_long: 414,
  unsupported_content_encoding: 415,
  range_not_satisfiable: 416,
  host_not_allowed: 421,
  throttled: 429,
  headers_too_large: 431,
  internal: 500,
  blob_lost: 500,
  unavailable: 503,
  insufficient_storage: 507,
}

export type DetailName = { [C in ErrorCode]: keyof ErrorDetails[C] }[ErrorCode]

/** The names that the details of errors have on the wire. */
export const DETAIL_MEMBERS: { readonly [N in DetailName]: string } = {
  errors: 'errors',
  declaredDigest: 'declared_digest',
  computedDigest: 'computed_digest',
  size: 'size',
  hint: 'hint',
  conflict: 'conflict',
  stored: 'stored',
  received: 'received',
  missing: 'missing',
  upload: 'upload',
  expectedDigest: 'expected_digest',
  storedDigest: 'stored_digest',
  maxArtifactBytes: 'max_artifact_bytes',
  maxInlineBytes: 'max_inline_bytes',
  uploadId: 'upload',
}
