/** Refs as tools take them. */
import { BucketError, type Digest, type Entry, formatRef, parseDigest, parseRef } from '../client/node.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'
import { parseArtifactKey } from '../domain/refs.ts'

export interface Pinned<T> {
  readonly ref: T
  readonly digest: Digest | undefined
}

/** `bucket_id/artifact_id/version`, or that and `@sha256:…`. @throws BucketError `invalid_request`. */
export const parsePinned = (text: string): Pinned<ArtifactRef> => pinned(text, parseRef)

/** Also without a version, which is then made from the content. @throws BucketError `invalid_request`. */
export const parseTarget = (text: string): Pinned<ArtifactRef | ArtifactKey> =>
  pinned(text, (name) => (name.split('/').length === 2 ? parseArtifactKey(name) : parseRef(name)))

export const pinnedRef = ({ ref, digest }: Pick<Entry, 'ref' | 'digest'>): string =>
  `${formatRef(ref)}@${digest}`

function pinned<T>(text: string, parse: (name: string) => T): Pinned<T> {
  const [name = '', digest] = text.split(/@(.*)/s, 2)
  return { ref: parse(name), digest: digest === undefined ? undefined : digestOf(digest) }
}

function digestOf(text: string): Digest {
  const digest = parseDigest(text)
  if (digest.ok) return digest.value
  throw BucketError.invalidRequest([{ name: 'digest', detail: digest.error }])
}
