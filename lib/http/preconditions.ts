/**
 * The conditions of a fetch, in the order of RFC 9110, section 13.2.2. An artifact never changes, so a condition only asks
 * whether the caller's digest is the stored one.
 */
import { type Digest, parseDigest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { HeaderReader } from '../protocol/http-message.ts'
import { digestDiffers } from '../repository/fetch.ts'
import { type EntityTag, entityTag, parseEntityTags } from './entity-tag.ts'
import { parseHttpDate } from './http-date.ts'
import type { Inputs } from './inputs.ts'

export interface Preconditions {
  readonly ifMatch: '*' | readonly EntityTag[] | undefined
  readonly ifNoneMatch: '*' | readonly EntityTag[] | undefined
  readonly ifModifiedSince: number | undefined
  readonly ifUnmodifiedSince: number | undefined
}

/** Reads them; a malformed entity tag is a fault, a malformed date is ignored (RFC 9110, sections 13.1.3 and 13.1.4). */
export function readPreconditions(headers: HeaderReader, inputs: Inputs): Preconditions {
  const tags = (name: string) => {
    const field = headers.get(name)
    if (field === null) return undefined
    return (
      parseEntityTags(field) ??
      inputs.fault('header', name, 'is no list of entity tags: write "sha256:<hex>" with its quotes, or *')
    )
  }
  return {
    ifMatch: tags('If-Match'),
    ifNoneMatch: tags('If-None-Match'),
    ifModifiedSince: parseDate(headers.get('If-Modified-Since')),
    ifUnmodifiedSince: parseDate(headers.get('If-Unmodified-Since')),
  }
}

const parseDate = (field: string | null): number | undefined =>
  field === null ? undefined : parseHttpDate(field, Date.now())

/** `Last-Modified` has whole seconds, so conditions on it are compared in whole seconds. */
const lastModified = (entry: Entry): number => Math.floor(Date.parse(entry.createdAt) / 1000) * 1000

/** The digest that a condition names, where it is exactly one; a weak tag is none, because it vouches for no bytes. */
function digestOf([tag, ...more]: readonly EntityTag[]): Digest | undefined {
  const digest = tag && !tag.weak && more.length === 0 ? parseDigest(tag.opaque) : undefined
  return digest?.ok ? digest.value : undefined
}

/**
 * @returns whether the answer is 304.
 * @throws BucketError `digest_differs` for `If-Match`, `precondition_failed` for `If-Unmodified-Since`.
 */
export function isNotModified(entry: Entry, conditions: Preconditions): boolean {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions
  if (ifMatch !== undefined) {
    const matches = ifMatch === '*' || ifMatch.some(({ weak, opaque }) => !weak && opaque === entry.digest)
    if (!matches) throw digestDiffers(entry, digestOf(ifMatch))
  } else if (ifUnmodifiedSince !== undefined && lastModified(entry) > ifUnmodifiedSince) {
    throw new BucketError(
      'precondition_failed',
      `${formatRef(entry.ref)} was stored after If-Unmodified-Since`,
      { stored: entry },
      {
        next: 'Ask without If-Unmodified-Since: a stored version never changes.',
      },
    )
  }
  if (ifNoneMatch !== undefined)
    return ifNoneMatch === '*' || ifNoneMatch.some(({ opaque }) => opaque === entry.digest)
  return ifModifiedSince !== undefined && lastModified(entry) <= ifModifiedSince
}

/** Whether `If-Range` lets the range stand: only the very same representation does (RFC 9110, section 13.1.5). */
export function rangeStands(entry: Entry, ifRange: string | null): boolean {
  if (ifRange === null || ifRange.trim() === entityTag(entry.digest)) return true
  return parseDate(ifRange) === lastModified(entry)
}
