/** Patterns of `push`, as in shells, but `*` also matches `/`. The Python client has the same in `patterns.py`. */

/** A class such as `[!a-c]`, or one character. A `]` right after the opening belongs to the class. A bracket that is never closed stands for itself. */
const PART = /\[([!^]?)(\][^\]]*|[^\]]+)\]|[\s\S]/gu
const MEMBER = /([\s\S])-([\s\S])|[\s\S]/gu

/** @param text a trailing slash is ignored. @returns what matches a whole path or name. */
export function pathPattern(text: string): RegExp {
  const source = text.replace(/\/+$/, '').replace(PART, (part, negation, members) => {
    if (members !== undefined) return classOf(members, negation !== '')
    if (part === '*') return '.*'
    return part === '?' ? '.' : escaped(part)
  })
  return new RegExp(`^${source}$`, 'su')
}

/** A range whose end is before its start matches nothing. */
function classOf(members: string, isNegated: boolean): string {
  const body = members.replace(MEMBER, (one, low?: string, high?: string) => {
    if (low === undefined || high === undefined) return escaped(one)
    return codePoint(low) <= codePoint(high) ? `${escaped(low)}-${escaped(high)}` : ''
  })
  return `[${isNegated ? '^' : ''}${body}]`
}

const codePoint = (character: string): number => character.codePointAt(0) ?? 0

const escaped = (character: string): string => `\\u{${codePoint(character).toString(16)}}`
