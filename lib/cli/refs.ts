/** References as they are written on a command line. */
import { type Digest, parseDigest } from '../domain/digest.ts'
import { type ArtifactKey, type ArtifactRef, parseArtifactKey, parseRef } from '../domain/identifiers.ts'
import { UsageError } from './failure.ts'

/** `bucket_id/artifact_id/version`, or that and `@sha256:…`. */
export function parsePinnedRef(text: string): { ref: ArtifactRef; digest: Digest | undefined } {
  const at = text.indexOf('@')
  if (at === -1) return { ref: parseRef(text), digest: undefined }
  const digest = parseDigest(text.slice(at + 1))
  if (!digest.ok)
    throw new UsageError(`the digest after @ ${digest.detail}`, 'Write REF@sha256:<64 hex digits>.')
  return { ref: parseRef(text.slice(0, at)), digest: digest.value }
}

/** A reference, or an artifact whose version is to be made from the content. */
export const parseTarget = (text: string): ArtifactRef | ArtifactKey =>
  text.split('/').length === 2 ? parseArtifactKey(text) : parseRef(text)
