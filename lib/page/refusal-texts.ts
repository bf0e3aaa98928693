/**
 * What the page says when Bucket refuses something: the step that a person takes on this page, where the API's own text names a
 * request. Each code has a text, and the compiler checks that.
 */
import type { ErrorCode } from '../domain/errors.ts'

interface RefusalText {
  readonly what: string
  readonly next: string
}

const REPORT = 'If it fails again, give the number of the request to the operator of this deployment.'
const OTHER_VERSION = 'The page and the API may have different versions: load the page again.'

export const REFUSALS: { readonly [C in ErrorCode]: RefusalText } = {
  invalid_request: { what: 'Invalid input', next: 'Correct every input that is listed here.' },
  digest_mismatch: {
    what: 'The bytes do not have the digest',
    next: 'Try again. If it fails again, a proxy or a network device changes the bytes, or the file changed.',
  },
  unauthorized: {
    what: 'You are not signed in',
    next: 'Load the page again and give valid credentials.',
  },
  forbidden: {
    what: 'You are not allowed to do this',
    next: 'Ask the operator of this deployment for access, or load the page again and give other credentials.',
  },
  route_not_found: {
    what: 'There is no Bucket API at this address',
    next: 'Check "api" in config.json next to this page: it must be the root of a Bucket API, ending with /v1.',
  },
  version_not_found: {
    what: 'This version is not stored',
    next: 'Check bucket_id, artifact_id and version: they are compared byte by byte.',
  },
  upload_not_found: { what: 'There is no such upload', next: 'Store the file again.' },
  method_not_allowed: { what: 'The API does not support this', next: OTHER_VERSION },
  request_timeout: {
    what: 'The connection was too slow',
    next: 'Try again: what was sent in parts is kept.',
  },
  version_exists: {
    what: 'This version is stored already, with other bytes',
    next: 'Choose a new version for this file: a stored version never changes.',
  },
  upload_incomplete: {
    what: 'The upload is not complete',
    next: 'Store the file again: only the missing bytes are sent.',
  },
  upload_conflict: {
    what: 'Another upload of this version is in the way',
    next: 'Wait until it ends, then store the file again.',
  },
  digest_differs: {
    what: 'The stored artifact has another digest',
    next: 'Check where the expected digest comes from. A stored version never changes.',
  },
  precondition_failed: {
    what: 'This version is stored already',
    next: 'Choose a new version for this file: a stored version never changes.',
  },
  artifact_too_large: {
    what: 'The file is too large for this deployment',
    next: 'Store it as several files, or ask the operator to raise the limit.',
  },
  inline_too_large: { what: 'The file is too large for one request', next: OTHER_VERSION },
  uri_too_long: { what: 'The reference is too long', next: 'Choose shorter names.' },
  unsupported_content_encoding: {
    what: 'The bytes arrived compressed',
    next: 'A proxy between this browser and the API compresses them: turn that off.',
  },
  range_not_satisfiable: {
    what: 'The stored bytes are fewer than expected',
    next: `Try again. ${REPORT}`,
  },
  host_not_allowed: {
    what: 'The server does not accept requests for this address',
    next: 'Open the address that the server printed, or start it with --public-url for another one.',
  },
  throttled: { what: 'Too many requests', next: 'Wait a moment, then try again.' },
  headers_too_large: {
    what: 'The description is too long',
    next: 'Shorten the texts of the description, or the credentials.',
  },
  internal: { what: 'The API failed', next: `Try again. ${REPORT}` },
  blob_lost: {
    what: 'The bytes of this version are lost',
    next: 'Store the same file again under the same reference: that restores it. Tell the operator of this deployment.',
  },
  unavailable: {
    what: 'The API cannot answer now',
    next: 'Try again in a moment: repeating is always safe. This says nothing about the stored bytes.',
  },
  insufficient_storage: {
    what: 'The disk of the server is full',
    next: 'Free space on the disk of its data folder, then store the file again.',
  },
}
