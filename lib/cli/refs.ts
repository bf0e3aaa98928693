/** References as they are written on a command line. */
import { type Digest, parseDigest } from '../domain/digest.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'
import { parseArtifactKey, parseRef } from '../domain/refs.ts'
import { UsageError } from './failure.ts'

export interface Pinned<T> {
  readonly ref: T
  readonly digest: Digest | undefined
}

/** `bucket_id/artifact_id/version`, or that and `@sha256:…`. */
export const parsePinnedRef = (text: string): Pinned<ArtifactRef> => pinned(text, parseRef)

/** A ref, or an artifact whose version is made from the content; either may be pinned. */
export const parseTarget = (text: string): Pinned<ArtifactRef | ArtifactKey> =>
  pinned(text, (name) => (name.split('/').length === 2 ? parseArtifactKey(name) : parseRef(name)))

/** @throws UsageError for a digest of another form. */
export function parseDigestOption(text: string): Digest {
  const digest = parseDigest(text)
  if (digest.ok) return digest.value
  throw new UsageError(
    `the digest ${digest.error}`,
    'Write sha256: and 64 hex digits, as `bucket digest` prints.',
  )
}

function pinned<T>(text: string, parse: (name: string) => T): Pinned<T> {
  const at = text.indexOf('@')
  if (at === -1) return { ref: parse(text), digest: undefined }
  return { ref: parse(text.slice(0, at)), digest: parseDigestOption(text.slice(at + 1)) }
}
