/** Headers that more than one side writes or reads, once. */
import type { ArtifactRef } from '../domain/identifiers.ts'

/** The names of the headers that Bucket gives a meaning of its own; matched without case, written like this. */
export const HEADERS = {
  artifactDigest: 'X-Artifact-Digest',
  artifactSize: 'X-Artifact-Size',
  uploadedBy: 'X-Uploaded-By',
  provenanceSource: 'X-Provenance-Source',
  requestId: 'X-Request-Id',
  reprDigest: 'Repr-Digest',
  uploadLimit: 'Upload-Limit',
} as const

/** The headers of a fetch that a browser may read when an origin is allowed (docs/http-api.md, section 9). */
export const EXPOSED_HEADERS = [
  'ETag',
  HEADERS.artifactDigest,
  HEADERS.artifactSize,
  HEADERS.reprDigest,
  'Accept-Ranges',
  'Content-Range',
  'Content-Disposition',
  'Last-Modified',
  'Location',
  'Link',
  'Retry-After',
  HEADERS.requestId,
  HEADERS.uploadLimit,
] as const

/** An artifact never changes: whoever has it may keep it (docs/http-api.md, section 5). */
export const ARTIFACT_CACHE_CONTROL = 'private, max-age=31536000, immutable'

/** Makes a browser save an artifact instead of showing it; identifiers need no quoting in a quoted string. */
export const contentDisposition = (ref: ArtifactRef): string =>
  `attachment; filename="${ref.artifactId}-${ref.version}"`
