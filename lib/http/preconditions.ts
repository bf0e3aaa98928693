/**
 * The preconditions of a fetch, in the order of RFC 9110, section 13.2.2. An artifact never changes, so a precondition only
 * asks whether the caller's digest is the stored one.
 */
import { type Digest, parseDigest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { digestDiffers } from '../repository/fetch.ts'
import { lastModified } from './artifact-headers.ts'
import { type EntityTag, entityTag, parseEntityTags } from './entity-tag.ts'
import { parseHttpDate } from './http-date.ts'

export interface Preconditions {
  readonly ifMatch: '*' | readonly EntityTag[] | undefined
  readonly ifNoneMatch: '*' | readonly EntityTag[] | undefined
  /** Milliseconds since the epoch. */
  readonly ifModifiedSince: number | undefined
  readonly ifUnmodifiedSince: number | undefined
}

/**
 * A malformed entity tag is an error; a malformed date is ignored (RFC 9110, sections 13.1.3 and 13.1.4).
 *
 * @param header returns the value of a request header.
 * @param addError takes the name of a malformed header, and what is wrong with it.
 */
export function readPreconditions(
  header: (name: string) => string | null,
  addError: (name: string, detail: string) => undefined,
): Preconditions {
  const tags = (name: string) => {
    const field = header(name)
    if (field === null) return undefined
    return (
      parseEntityTags(field) ??
      addError(name, 'is not a list of entity tags: write "sha256:<hex>" with its quotes, or *')
    )
  }
  return {
    ifMatch: tags('If-Match'),
    ifNoneMatch: tags('If-None-Match'),
    ifModifiedSince: parseDate(header('If-Modified-Since')),
    ifUnmodifiedSince: parseDate(header('If-Unmodified-Since')),
  }
}

const parseDate = (field: string | null): number | undefined =>
  field === null ? undefined : parseHttpDate(field, Date.now())

/** The digest that a precondition names, if it names exactly one. A weak tag names none, because it promises no bytes. */
function digestOf([tag, ...more]: readonly EntityTag[]): Digest | undefined {
  const digest = tag && !tag.weak && more.length === 0 ? parseDigest(tag.opaque) : undefined
  return digest?.ok ? digest.value : undefined
}

/**
 * @returns whether the response is 304.
 * @throws BucketError `digest_differs` for `If-Match`, `precondition_failed` for `If-Unmodified-Since`.
 */
export function isNotModified(entry: Entry, conditions: Preconditions): boolean {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions
  if (ifMatch !== undefined) {
    const matches = ifMatch === '*' || ifMatch.some(({ weak, opaque }) => !weak && opaque === entry.digest)
    if (!matches) throw digestDiffers(entry, digestOf(ifMatch))
  } else if (ifUnmodifiedSince !== undefined && lastModified(entry, Date.now()) > ifUnmodifiedSince) {
    throw new BucketError(
      'precondition_failed',
      `${formatRef(entry.ref)} was stored after the time in If-Unmodified-Since`,
      { stored: entry },
      { next: 'Send the request without If-Unmodified-Since: a stored version never changes.' },
    )
  }
  if (ifNoneMatch !== undefined)
    return ifNoneMatch === '*' || ifNoneMatch.some(({ opaque }) => opaque === entry.digest)
  return ifModifiedSince !== undefined && lastModified(entry, Date.now()) <= ifModifiedSince
}

/** Whether `If-Range` lets the range apply: only the very same representation does (RFC 9110, section 13.1.5). */
export function rangeApplies(entry: Entry, ifRange: string | null): boolean {
  if (ifRange === null || ifRange.trim() === entityTag(entry.digest)) return true
  return parseDate(ifRange) === lastModified(entry, Date.now())
}
