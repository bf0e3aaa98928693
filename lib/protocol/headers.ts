/** The headers that Bucket defines or gives a rule of its own, and the values that more than one side writes. */
import type { ArtifactRef } from '../domain/identifiers.ts'

/** Header names are compared case-insensitively and written in this form. */
export const HEADERS = {
  artifactDigest: 'X-Artifact-Digest',
  artifactSize: 'X-Artifact-Size',
  artifactRef: 'X-Artifact-Ref',
  requestId: 'X-Request-Id',
  /** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html */
  apiKey: 'X-Api-Key',
  reprDigest: 'Repr-Digest',
  uploadLimit: 'Upload-Limit',
} as const

/** The media types of responses. */
export const MEDIA_TYPES = {
  json: 'application/json',
  /** RFC 9457. */
  problem: 'application/problem+json',
} as const

/** An artifact never changes, so a cache may keep it (docs/http-api.md, section 5). */
export const ARTIFACT_CACHE_CONTROL = 'private, max-age=31536000, immutable'

/** Makes a browser save an artifact instead of showing it. Identifiers need no escapes in a quoted string. */
export const contentDisposition = (ref: ArtifactRef): string =>
  `attachment; filename="${ref.artifactId}-${ref.version}"`
