/** The `Range` of a fetch (RFC 9110, section 14). */
import type { ByteRange } from '../domain/byte-range.ts'

/**
 * @param size of the artifact in bytes.
 * @returns the range within the artifact; `unsatisfiable` if it begins after the last byte; undefined if the header is to be
 * ignored: malformed, another unit, or several ranges (a server may then send everything).
 */
export function parseRange(field: string | null, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, from, to] = /^\s*bytes\s*=\s*(\d*)-(\d*)\s*$/i.exec(field ?? '') ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined
  if (from === '') {
    const last = Number(to)
    if (last === 0 || size === 0) return 'unsatisfiable'
    return { first: Math.max(0, size - last), last: size - 1 }
  }
  const first = Number(from)
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (to !== '' && Number(to) < first) return undefined
  return first >= size ? 'unsatisfiable' : { first, last }
}
