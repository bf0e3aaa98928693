/**
 * The three identifiers of an artifact version, and the ref that they form. A value of these types has been validated: it is
 * safe in a path, a key or a file name.
 */
import type { Digest } from './digest.ts'
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

const MAX_LENGTH = 128
const FIRST = 'A-Za-z0-9'
const FURTHER = 'A-Za-z0-9._+:-'

/** The form of every identifier; compared byte by byte, without order or meaning (docs/http-api.md, section 1). */
export const IDENTIFIER_PATTERN = `^[${FIRST}][${FURTHER}]{0,${MAX_LENGTH - 1}}$`
const identifier = new RegExp(IDENTIFIER_PATTERN)

const parseIdentifier = <T extends string>(text: string): Result<T> =>
  identifier.test(text) ? ok(text as T) : err(describeMalformed(text))

/** @returns the bucket id, or the reason why `text` is invalid (docs/http-api.md, section 1). */
export const parseBucketId = (text: string): Result<BucketId> => parseIdentifier(text)
/** @returns the artifact id, or the reason why `text` is invalid (docs/http-api.md, section 1). */
export const parseArtifactId = (text: string): Result<ArtifactId> => parseIdentifier(text)
/** @returns the version, or the reason why `text` is invalid (docs/http-api.md, section 1). */
export const parseVersion = (text: string): Result<Version> => parseIdentifier(text)

/** The first thing that is wrong with an identifier. */
export type IdentifierFault =
  | { readonly kind: 'empty' }
  | { readonly kind: 'too_long'; readonly length: number; readonly maxLength: number }
  /** `position` counts characters from 0. The first one may not be a sign. */
  | { readonly kind: 'character'; readonly character: string; readonly position: number }

/** @returns undefined for a valid identifier. */
export function identifierFault(text: string): IdentifierFault | undefined {
  if (text === '') return { kind: 'empty' }
  if (text.length > MAX_LENGTH) return { kind: 'too_long', length: text.length, maxLength: MAX_LENGTH }
  const characters = [...text]
  const position = characters.findIndex((character, at) => !(at === 0 ? first : further).test(character))
  return position === -1 ? undefined : { kind: 'character', character: characters[position] ?? '', position }
}

const first = new RegExp(`^[${FIRST}]$`)
const further = new RegExp(`^[${FURTHER}]$`)

const RULE = `use 1 to ${MAX_LENGTH} characters A-Z a-z 0-9 . _ + : - and begin with a letter or digit`

function describeMalformed(text: string): string {
  const fault = identifierFault(text)
  switch (fault?.kind) {
    case 'too_long':
      return `has ${fault.length} characters: ${RULE}`
    case 'character':
      return `${fault.position === 0 ? 'begins with' : 'contains'} ${JSON.stringify(fault.character)}: ${RULE}`
    default:
      return `is empty: ${RULE}`
  }
}

/** `bucket_id/artifact_id/version`, the written form of a reference. */
export const formatRef = (ref: ArtifactRef): string => `${ref.bucketId}/${ref.artifactId}/${ref.version}`

/** `bucket_id/artifact_id/version@sha256:…`, the written form of a reference that is pinned to its bytes. */
export const formatPinnedRef = ({
  ref,
  digest,
}: {
  readonly ref: ArtifactRef
  readonly digest: Digest
}): string => `${formatRef(ref)}@${digest}`

/** `bucket_id/artifact_id`, the written form of an artifact without a version. */
export const formatArtifactKey = (key: ArtifactKey): string => `${key.bucketId}/${key.artifactId}`
