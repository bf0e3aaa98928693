/** References from untrusted text. An error names every invalid part at once. */
import { BucketError } from './errors.ts'
import {
  type ArtifactKey,
  type ArtifactRef,
  parseArtifactId,
  parseBucketId,
  parseVersion,
} from './identifiers.ts'
import type { Result } from './result.ts'

/**
 * Reads `bucket_id/artifact_id/version`.
 *
 * @throws BucketError `invalid_request` that names every invalid identifier.
 */
export function parseRef(text: string): ArtifactRef {
  const [bucketId, artifactId, version, ...rest] = text.split('/')
  if (bucketId === undefined || artifactId === undefined || version === undefined || rest.length > 0)
    throw BucketError.invalidRequest([
      { name: 'ref', detail: `${JSON.stringify(text)} is not bucket_id/artifact_id/version` },
    ])
  return artifactRef({ bucketId, artifactId, version })
}

/**
 * Reads `bucket_id/artifact_id`.
 *
 * @throws BucketError `invalid_request` that names every invalid identifier.
 */
export function parseArtifactKey(text: string): ArtifactKey {
  const [bucketId, artifactId, ...rest] = text.split('/')
  if (bucketId === undefined || artifactId === undefined || rest.length > 0)
    throw BucketError.invalidRequest([
      { name: 'artifact', detail: `${JSON.stringify(text)} is not bucket_id/artifact_id` },
    ])
  return artifactKey({ bucketId, artifactId })
}

/**
 * Checks two strings and makes them the key of an artifact.
 *
 * @throws BucketError `invalid_request` that names both if both are invalid.
 */
export function artifactKey(parts: { bucketId: string; artifactId: string }): ArtifactKey {
  const bucketId = parseBucketId(parts.bucketId)
  const artifactId = parseArtifactId(parts.artifactId)
  if (bucketId.ok && artifactId.ok) return { bucketId: bucketId.value, artifactId: artifactId.value }
  throw malformed({ bucketId, artifactId })
}

/**
 * Checks three strings and makes them a reference.
 *
 * @throws BucketError `invalid_request` that names each invalid part.
 */
export function artifactRef(parts: { bucketId: string; artifactId: string; version: string }): ArtifactRef {
  const bucketId = parseBucketId(parts.bucketId)
  const artifactId = parseArtifactId(parts.artifactId)
  const version = parseVersion(parts.version)
  if (bucketId.ok && artifactId.ok && version.ok)
    return { bucketId: bucketId.value, artifactId: artifactId.value, version: version.value }
  throw malformed({ bucketId, artifactId, version })
}

const malformed = (named: Readonly<Record<string, Result<string>>>): BucketError =>
  BucketError.invalidRequest(
    Object.entries(named).flatMap(([name, result]) => (result.ok ? [] : [{ name, detail: result.error }])),
  )
