/** Entity tags (RFC 9110, section 8.8.3): an artifact's is its digest in quotes, always strong. */
import type { Digest } from '../domain/digest.ts'

export const entityTag = (digest: Digest): string => `"${digest}"`

/** One `entity-tag` of a list. */
export interface EntityTag {
  readonly weak: boolean
  /** Without its quotes. */
  readonly opaque: string
}

/**
 * Reads the value of `If-Match` or `If-None-Match`.
 *
 * @returns `*`, the tags, or undefined if the value is malformed.
 */
export function parseEntityTags(field: string): '*' | readonly EntityTag[] | undefined {
  if (field.trim() === '*') return '*'
  const tags: EntityTag[] = []
  const member = /\s*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*)?(?:,|$)/y
  while (member.lastIndex < field.length) {
    const found = member.exec(field)
    if (!found) return undefined
    if (found[2] !== undefined) tags.push({ weak: found[1] !== undefined, opaque: found[2] })
  }
  return tags.length > 0 ? tags : undefined
}
