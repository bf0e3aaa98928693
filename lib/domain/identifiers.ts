/**
 * The three identifiers of an artifact version, and the reference that they form.
 * A value of these types has been checked: it can stand in a path, a key or a file name without another look.
 */
import { BucketError } from './errors.ts'
import { faulty, type Parsed, parsed } from './validation.ts'

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

export type BucketId = Branded<string, 'BucketId'>
export type ArtifactId = Branded<string, 'ArtifactId'>
export type Version = Branded<string, 'Version'>

/** One artifact, whatever its versions. */
export interface ArtifactKey {
  readonly bucketId: BucketId
  readonly artifactId: ArtifactId
}

/** One version of one artifact: the only way to name stored bytes. */
export interface ArtifactRef extends ArtifactKey {
  readonly version: Version
}

/** The form of every identifier; compared byte by byte, without order or meaning (docs/http-api.md, section 1). */
export const IDENTIFIER_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$'
const identifier = new RegExp(IDENTIFIER_PATTERN)

const parseIdentifier = <T extends string>(text: string): Parsed<T> =>
  identifier.test(text) ? parsed(text as T) : faulty(describeMalformed(text))

/** @returns the bucket id, or why `text` is none (docs/http-api.md, section 1). */
export const parseBucketId = (text: string): Parsed<BucketId> => parseIdentifier(text)
/** @returns the artifact id, or why `text` is none (docs/http-api.md, section 1). */
export const parseArtifactId = (text: string): Parsed<ArtifactId> => parseIdentifier(text)
/** @returns the version, or why `text` is none (docs/http-api.md, section 1). */
export const parseVersion = (text: string): Parsed<Version> => parseIdentifier(text)

function describeMalformed(text: string): string {
  const rule = 'use 1 to 128 characters A-Z a-z 0-9 . _ + : - and begin with a letter or digit'
  if (text === '') return `is empty: ${rule}`
  if (text.length > 128) return `has ${text.length} characters: ${rule}`
  if (!/^[A-Za-z0-9]/.test(text)) return `begins with ${JSON.stringify([...text][0])}: ${rule}`
  const stranger = [...text].find((character) => !/[A-Za-z0-9._+:-]/.test(character))
  return `contains ${JSON.stringify(stranger)}: ${rule}`
}

/** `bucket_id/artifact_id/version`, the written form of a reference. */
export const formatRef = (ref: ArtifactRef): string => `${ref.bucketId}/${ref.artifactId}/${ref.version}`

/** `bucket_id/artifact_id`, the written form of an artifact without a version. */
export const formatArtifactKey = (key: ArtifactKey): string => `${key.bucketId}/${key.artifactId}`

/**
 * Reads `bucket_id/artifact_id/version`.
 *
 * @throws BucketError `invalid_request` with every fault of the three identifiers (docs/http-api.md, section 1).
 */
export function parseRef(text: string): ArtifactRef {
  const [bucketId, artifactId, version, ...rest] = text.split('/')
  if (bucketId === undefined || artifactId === undefined || version === undefined || rest.length > 0)
    throw BucketError.invalidRequest([
      { in: 'path', name: 'ref', detail: `${JSON.stringify(text)} is not bucket_id/artifact_id/version` },
    ])
  return artifactRef({ bucketId, artifactId, version })
}

/**
 * Reads `bucket_id/artifact_id`.
 *
 * @throws BucketError `invalid_request` with every fault of the two identifiers (docs/http-api.md, section 1).
 */
export function parseArtifactKey(text: string): ArtifactKey {
  const [bucketId, artifactId, ...rest] = text.split('/')
  if (bucketId === undefined || artifactId === undefined || rest.length > 0)
    throw BucketError.invalidRequest([
      { in: 'path', name: 'artifact', detail: `${JSON.stringify(text)} is not bucket_id/artifact_id` },
    ])
  return artifactKey({ bucketId, artifactId })
}

/**
 * Checks two strings and makes them the key of an artifact.
 *
 * @throws BucketError `invalid_request` with every fault of the two (docs/http-api.md, section 1).
 */
export function artifactKey(parts: { bucketId: string; artifactId: string }): ArtifactKey {
  const bucketId = parseBucketId(parts.bucketId)
  const artifactId = parseArtifactId(parts.artifactId)
  if (bucketId.ok && artifactId.ok) return { bucketId: bucketId.value, artifactId: artifactId.value }
  throw malformed({ bucket_id: bucketId, artifact_id: artifactId })
}

/**
 * Checks three strings and makes them a reference.
 *
 * @throws BucketError `invalid_request` with every fault of the three (docs/http-api.md, section 1).
 */
export function artifactRef(parts: { bucketId: string; artifactId: string; version: string }): ArtifactRef {
  const bucketId = parseBucketId(parts.bucketId)
  const artifactId = parseArtifactId(parts.artifactId)
  const version = parseVersion(parts.version)
  if (bucketId.ok && artifactId.ok && version.ok)
    return { bucketId: bucketId.value, artifactId: artifactId.value, version: version.value }
  throw malformed({ bucket_id: bucketId, artifact_id: artifactId, version })
}

const malformed = (named: Readonly<Record<string, Parsed<string>>>): BucketError =>
  BucketError.invalidRequest(
    Object.entries(named).flatMap(([name, result]) =>
      result.ok ? [] : [{ in: 'path' as const, name, detail: result.detail }],
    ),
  )
