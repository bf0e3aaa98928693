/**
 * The next step of an assistant after each refusal of Bucket. docs/for-assistants.md has the same sentences, and a test compares
 * them, so that an assistant reads one remedy wherever it meets the refusal.
 */
import type { ErrorCode } from '../client/node.ts'

export const REMEDIES: { readonly [C in ErrorCode]: string } = {
  invalid_request: 'Correct every input that is named, then repeat the call.',
  digest_mismatch:
    'If you stored: nothing was stored. Compute the digest of exactly the bytes that you send, and repeat; if the digest is right, the bytes changed on the way: repeat once, then tell the user. If you fetched: do not use the bytes, and tell the user that the stored bytes may be damaged.',
  unauthorized:
    'Tell the user that this Bucket needs credentials. They belong in the environment of the client, never into the conversation.',
  forbidden: 'Tell the user that these credentials do not allow the call. Do not try other refs instead.',
  route_not_found:
    'Compare the address with the root of the API. Bucket has no "latest", no search and no deletion: ask your own registry.',
  version_not_found:
    'Compare the ref character by character. Bucket has no "latest" and no search: ask your own registry which version is meant.',
  upload_not_found: 'Store the artifact again. The upload never began, was aborted, or expired after a week.',
  method_not_allowed: 'Stored versions are permanent. Store a new version instead of changing one.',
  request_timeout: 'Repeat the call. Nothing was stored, and parts that arrived are kept.',
  version_exists:
    '`identical`: the work is done, treat it as a success. `different`: choose a new version and store under it; the same version will never be accepted.',
  upload_incomplete: 'Store again with the same ref and the same bytes: only what is missing is sent.',
  upload_conflict:
    'Look at the upload. `verifying`: wait, then check the ref. `committed`: the work is done. `open`: abort it or continue it with its own size.',
  digest_differs:
    'Do not use the stored bytes in place of the expected ones. Find out where the expected digest comes from, and tell the user.',
  precondition_failed:
    'The version is stored already. Compare the digests: equal is a success, different needs a new version.',
  artifact_too_large:
    'Store the parts as a folder, or ask the operator to raise the limit. Do not compress or cut bytes without being asked.',
  inline_too_large:
    'Send it as an upload. Every client of Bucket does so by itself; with plain HTTP, begin at the path in `upload`.',
  uri_too_long: 'Use shorter identifiers. No valid ref is that long.',
  unsupported_content_encoding:
    'Send the bytes without `Content-Encoding`. To keep them compressed, store the compressed bytes under their own digest.',
  range_not_satisfiable: 'Ask for a range that begins within the size.',
  host_not_allowed:
    'Use the address that the server printed. For another name, the operator starts it with --public-url.',
  throttled: 'Wait as long as `Retry-After` says, then repeat the call.',
  headers_too_large: 'Shorten the texts that describe the artifact.',
  internal: 'Repeat the call. If it fails again, give the request id to the operator.',
  blob_lost:
    'Tell the user and the operator that stored bytes are lost. If you have the same bytes, store them again under the same ref: that restores them.',
  unavailable:
    'Wait, then repeat the call. It says nothing about what is stored, and repeating is always safe. With `retryable: false`, tell the operator what `next` says: no retry helps.',
  insufficient_storage: 'Tell the operator that the disk of the server is full. Repeat once space is free.',
}
