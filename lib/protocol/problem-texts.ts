/**
 * The texts of each error code in the API (docs/http-api.md, section 8): a title, the meaning for the page of the code, and the
 * caller's next step. The command line has texts of its own (`lib/cli/refusal-texts.ts`).
 */
import type { ErrorCode } from '../domain/errors.ts'

interface ProblemText {
  readonly title: string
  readonly meaning: string
  /** A `BucketError` may name a more precise step. */
  readonly next: string
}

export const PROBLEM_TEXTS: { readonly [C in ErrorCode]: ProblemText } = {
  invalid_request: {
    title: 'Invalid request',
    meaning:
      'One or more inputs are invalid. errors lists each of them, with its place in the request and the expected form.',
    next: 'Correct every input listed in errors and send the request again.',
  },
  digest_mismatch: {
    title: 'The bytes do not have the declared digest',
    meaning:
      'Bucket computed the SHA-256 of the received bytes, and it is not the declared one. Nothing was stored.',
    next: 'Compute the digest of exactly the bytes that you send, then store again. With curl, send them with -T or --data-binary, because -d strips newlines. If the digest is right, the bytes changed in transit.',
  },
  unauthorized: {
    title: 'The caller is not authenticated',
    meaning: 'The gateway in front of Bucket received no valid credentials.',
    next: 'Sign the request, or send the token that this deployment requires.',
  },
  forbidden: {
    title: 'The caller is not authorized',
    meaning: 'The gateway in front of Bucket identified the caller and refused the request.',
    next: 'Ask the operator of this deployment for access, or use other credentials.',
  },
  route_not_found: {
    title: 'Unknown path',
    meaning:
      'This API has no such path. Bucket has no "latest", no search, no deletion, and no listing of buckets or artifacts.',
    next: 'Compare the path with GET /v1/openapi.json.',
  },
  version_not_found: {
    title: 'This version is not stored',
    meaning: 'The ledger has no entry with exactly this reference.',
    next: 'Check bucket_id, artifact_id and version; they are compared byte by byte.',
  },
  upload_not_found: {
    title: 'There is no such upload',
    meaning:
      'There is no unfinished upload of this digest to this reference: it never began, was aborted, or expired.',
    next: 'Begin an upload with PUT on this path.',
  },
  method_not_allowed: {
    title: 'Method not allowed',
    meaning:
      'The path exists, but does not support this method. Stored artifacts cannot be changed or deleted.',
    next: 'Use one of the methods in the Allow header.',
  },
  request_timeout: {
    title: 'The sender was too slow',
    meaning:
      'Within its time limit, the server received no byte of the request, or too few. Nothing was stored.',
    next: 'Send the request again.',
  },
  version_exists: {
    title: 'This version is already stored',
    meaning:
      'A version is stored once and never replaced. conflict tells whether the stored bytes have the declared digest.',
    next: 'Identical: treat the store as done. Different: choose a new version.',
  },
  upload_incomplete: {
    title: 'The upload is incomplete',
    meaning:
      'The upload cannot be committed yet. missing lists the first 100 parts that have not arrived. The upload stays open.',
    next: 'Get requests for the missing parts, send the parts, and commit again.',
  },
  upload_conflict: {
    title: "Operation not allowed in the upload's current state",
    meaning: 'The existing upload, shown in upload, does not allow this request.',
    next: 'Check the state of upload. Open: abort it with DELETE and begin again. Verifying: wait. Committed: nothing is left to do.',
  },
  digest_differs: {
    title: 'The stored artifact has another digest',
    meaning: 'The version is stored, but not with the expected digest.',
    next: 'Do not use the stored bytes in place of the expected ones. Check where the expected digest comes from.',
  },
  precondition_failed: {
    title: 'A precondition of the request failed',
    meaning:
      'A store with If-None-Match: * requires that the version is absent, but it is already stored. Or a fetch with If-Unmodified-Since names a time before the store.',
    next: 'Identical: treat the store as done. Different: choose a new version.',
  },
  artifact_too_large: {
    title: 'The artifact is too large',
    meaning: 'The artifact is larger than max_artifact_bytes, the limit of this deployment.',
    next: 'Store it as several artifacts with a manifest, or ask the operator to raise the limit.',
  },
  inline_too_large: {
    title: 'The artifact is too large for one request',
    meaning:
      'This server accepts at most max_inline_bytes in a request body. Larger artifacts need an upload.',
    next: 'Begin an upload with PUT on the path in upload.',
  },
  uri_too_long: {
    title: 'The request target is too long',
    meaning: 'The path and query together are longer than 8 KiB.',
    next: 'Shorten the request target. No valid reference is that long.',
  },
  unsupported_content_encoding: {
    title: 'Content codings are not supported',
    meaning: 'Bucket stores opaque bytes. A content coding makes it ambiguous which bytes have the digest.',
    next: 'Send the bytes without Content-Encoding. To store compressed bytes, declare the digest of the compressed bytes.',
  },
  range_not_satisfiable: {
    title: 'The range is outside the artifact',
    meaning: 'The requested range begins after the last byte. Content-Range tells the size.',
    next: 'Request a range within the size.',
  },
  host_not_allowed: {
    title: 'Host not allowed',
    meaning:
      'Host or Origin is not a name of this server. A malicious page may have sent the request (DNS rebinding).',
    next: 'Use the loopback address that the server printed, or start the server with --public-url for another name.',
  },
  throttled: {
    title: 'Too many requests',
    meaning: 'The caller exceeded the rate limit or the quota of the gateway.',
    next: 'Wait for the seconds in Retry-After, then send the request again.',
  },
  headers_too_large: {
    title: 'The headers are too large',
    meaning: 'The headers of the request are larger than 16 KiB in total.',
    next: 'Send fewer or shorter headers.',
  },
  internal: {
    title: 'Internal error',
    meaning: 'Bucket met an unexpected error. Stored artifacts are not affected.',
    next: 'Send the request again. If the error persists, give request_id to the operator of this deployment.',
  },
  blob_lost: {
    title: 'The stored bytes are lost',
    meaning:
      'The version is stored, but its blob is missing, cut short or damaged. The entry stays as it is. Storing the same bytes again restores the blob.',
    next: 'Report it to the operator of this deployment. If you have the bytes, store them again under the same reference.',
  },
  unavailable: {
    title: 'Storage is unavailable',
    meaning:
      'The ledger or the blob store failed, throttled or took too long. The artifact may or may not be stored.',
    next: 'Wait for the seconds in Retry-After, then send the request again. Every request is safe to repeat.',
  },
  insufficient_storage: {
    title: 'The disk is full',
    meaning: 'The disk of the data folder has no space for these bytes. Nothing was stored.',
    next: 'Free space on the disk of the data folder, then send the request again.',
  },
}
