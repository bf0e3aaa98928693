/** Parses references of a command line, and explains invalid ones. */
import { type Digest, parseDigest } from '../domain/digest.ts'
import { isBucketError } from '../domain/errors.ts'
import {
  type ArtifactKey,
  type ArtifactRef,
  type IdentifierFault,
  identifierFault,
} from '../domain/identifiers.ts'
import { parseArtifactKey, parseRef } from '../domain/refs.ts'
import { UsageError } from './failure.ts'

export interface Pinned<T> {
  readonly ref: T
  readonly digest: Digest | undefined
}

const REF_FORM = 'bucket_id/artifact_id/version'
const KEY_FORM = 'bucket_id/artifact_id'

/** `bucket_id/artifact_id/version`. @throws UsageError that names the first bad character. */
export const parseRefArgument = (text: string): ArtifactRef => explained(text, REF_FORM, parseRef)

/** `bucket_id/artifact_id`. @throws UsageError. */
export const parseKeyArgument = (text: string): ArtifactKey => explained(text, KEY_FORM, parseArtifactKey)

/** `bucket_id/artifact_id/version`, or that and `@sha256:…`. @throws UsageError. */
export const parsePinnedRef = (text: string): Pinned<ArtifactRef> => pinned(text, parseRefArgument)

/** The number of invalid refs that one error describes. */
const MAX_DESCRIBED = 20

/** Many refs, each as `parsePinnedRef` takes it. @throws UsageError that names each invalid one. */
export function parsePinnedRefs(texts: readonly string[]): Pinned<ArtifactRef>[] {
  const errors: UsageError[] = []
  const refs = texts.flatMap((text) => {
    try {
      return [parsePinnedRef(text)]
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      errors.push(error)
      return []
    }
  })
  const [first] = errors
  if (first === undefined) return refs
  if (errors.length === 1) throw first
  const others = errors.length - MAX_DESCRIBED
  const faults = errors.slice(0, MAX_DESCRIBED).map(({ message }) => message)
  throw new UsageError(
    [...faults, ...(others > 0 ? [`and ${others} more`] : [])].join('; '),
    first.next,
    `${errors.length} invalid references`,
  )
}

/** A ref, or an artifact whose version is made from the content; either may be pinned. @throws UsageError. */
export const parseTarget = (text: string): Pinned<ArtifactRef | ArtifactKey> =>
  pinned(text, (name) => (name.split('/').length === 2 ? parseKeyArgument(name) : parseRefArgument(name)))

/** @throws UsageError for a digest of another form. */
export function parseDigestOption(text: string): Digest {
  const digest = parseDigest(text)
  if (digest.ok) return digest.value
  throw new UsageError(
    `${JSON.stringify(text)} ${digest.error}`,
    'Write sha256: and 64 lower-case hex digits, as `bucket digest` prints them.',
    'Invalid digest',
  )
}

function pinned<T>(text: string, parse: (name: string) => T): Pinned<T> {
  const at = text.indexOf('@')
  if (at === -1) return { ref: parse(text), digest: undefined }
  return { ref: parse(text.slice(0, at)), digest: parseDigestOption(text.slice(at + 1)) }
}

function explained<T>(text: string, form: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch (error) {
    if (!isBucketError(error, 'invalid_request')) throw error
    throw new UsageError(
      faultOf(text, form) ?? error.message,
      `Write ${form}: letters, digits and . _ + : -, each part beginning with a letter or digit.`,
      'Invalid reference',
    )
  }
}

/** @returns what is wrong with a reference, with the position of a bad character. */
function faultOf(text: string, form: string): string | undefined {
  const names = form.split('/')
  const parts = text.split('/')
  if (parts.length !== names.length)
    return `${JSON.stringify(text)} has ${parts.length} part${parts.length === 1 ? '' : 's'}, ${form} has ${names.length}`
  for (const [at, part] of parts.entries()) {
    const name = names[at] ?? ''
    const fault = identifierFault(part)
    if (fault) return `${name} ${described(fault, part)}`
  }
  return undefined
}

function described(fault: IdentifierFault, text: string): string {
  switch (fault.kind) {
    case 'empty':
      return 'is empty'
    case 'too_long':
      return `has ${fault.length} characters, at most ${fault.maxLength} are allowed`
    case 'character': {
      const character = JSON.stringify(fault.character)
      return fault.position === 0
        ? `${JSON.stringify(text)} begins with ${character}`
        : `${JSON.stringify(text)} has ${character} as character ${fault.position + 1}`
    }
  }
}
