/**
 * The three identifiers of an artifact version, and the ref that they form. A value of these types has been validated: it is
 * safe in a path, a key or a file name.
 */
import { err, ok, type Result } from './result.ts'

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

export type BucketId = Branded<string, 'BucketId'>
export type ArtifactId = Branded<string, 'ArtifactId'>
export type Version = Branded<string, 'Version'>

/** One artifact, with all of its versions. */
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

const parseIdentifier = <T extends string>(text: string): Result<T> =>
  identifier.test(text) ? ok(text as T) : err(describeMalformed(text))

/** @returns the bucket id, or the reason why `text` is invalid (docs/http-api.md, section 1). */
export const parseBucketId = (text: string): Result<BucketId> => parseIdentifier(text)
/** @returns the artifact id, or the reason why `text` is invalid (docs/http-api.md, section 1). */
export const parseArtifactId = (text: string): Result<ArtifactId> => parseIdentifier(text)
/** @returns the version, or the reason why `text` is invalid (docs/http-api.md, section 1). */
export const parseVersion = (text: string): Result<Version> => parseIdentifier(text)

function describeMalformed(text: string): string {
  const rule = 'use 1 to 128 characters A-Z a-z 0-9 . _ + : - and begin with a letter or digit'
  if (text === '') return `is empty: ${rule}`
  if (text.length > 128) return `has ${text.length} characters: ${rule}`
  if (!/^[A-Za-z0-9]/.test(text)) return `begins with ${JSON.stringify([...text][0])}: ${rule}`
  const stranger = [...text].find((character) => !/[A-Za-z0-9._+:-]/.test(character))
  return `contains ${JSON.stringify(stranger)}: ${rule}`
}

/** `bucketId/artifactId/version`, the written form of a reference. */
export const formatRef = (ref: ArtifactRef): string => `${ref.bucketId}/${ref.artifactId}/${ref.version}`

/** `bucketId/artifactId`, the written form of an artifact without a version. */
export const formatArtifactKey = (key: ArtifactKey): string => `${key.bucketId}/${key.artifactId}`
