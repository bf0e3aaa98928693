/** Refs as tools take them. */
import { BucketError, type Digest, isBucketError, parseDigest, parseRef } from '../client/node.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'
import { parseArtifactKey } from '../domain/refs.ts'
import { argumentName } from './refusal.ts'

export interface Pinned<T> {
  readonly ref: T
  readonly digest: Digest | undefined
}

/** `bucket_id/artifact_id/version`, or that and `@sha256:…`. @throws BucketError `invalid_request`. */
export const parsePinned = (text: string): Pinned<ArtifactRef> => pinned(text, parseRef)

/** The number of invalid refs that one error describes. The text of all of them could fill a conversation. */
const MAX_DESCRIBED = 20

/** Many refs, each as `parsePinned` takes it. @throws BucketError `invalid_request` that names each invalid one. */
export function parsePinnedList(texts: readonly string[]): Pinned<ArtifactRef>[] {
  const errors: { name: string; detail: string }[] = []
  const refs = texts.flatMap((text, at) => {
    try {
      return [parsePinned(text)]
    } catch (error) {
      if (!isBucketError(error, 'invalid_request')) throw error
      const faults = error.details.errors
        .map(({ name, detail }) => `${argumentName(name)} ${detail}`)
        .join('; ')
      errors.push({ name: `refs[${at}]`, detail: `is ${JSON.stringify(text)}: ${faults}` })
      return []
    }
  })
  if (errors.length === 0) return refs
  const others = errors.length - MAX_DESCRIBED
  throw BucketError.invalidRequest([
    ...errors.slice(0, MAX_DESCRIBED),
    ...(others > 0 ? [{ name: 'refs', detail: `has ${others} more invalid refs` }] : []),
  ])
}

/** Also without a version, which is then made from the content. @throws BucketError `invalid_request`. */
export const parseTarget = (text: string): Pinned<ArtifactRef | ArtifactKey> =>
  pinned(text, (name) => (name.split('/').length === 2 ? parseArtifactKey(name) : parseRef(name)))

function pinned<T>(text: string, parse: (name: string) => T): Pinned<T> {
  const [name = '', digest] = text.split(/@(.*)/s, 2)
  return { ref: parse(name), digest: digest === undefined ? undefined : digestOf(digest) }
}

function digestOf(text: string): Digest {
  const digest = parseDigest(text)
  if (digest.ok) return digest.value
  throw BucketError.invalidRequest([{ name: 'digest', detail: digest.error }])
}
