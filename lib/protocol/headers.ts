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
