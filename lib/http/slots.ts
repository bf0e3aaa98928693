/** Texts of which many copies differ only in three places: everything else is prepared once. */
import { randomUUID } from 'node:crypto'

/** Stands in for a text that differs. No other text contains it, because it is new in each process. */
export const SLOT = randomUUID()

/** Stands in for a number that differs. */
export const NUMBER_SLOT = Number.MAX_VALUE

/**
 * @param marks that `text` contains in this order, once each.
 * @returns the texts around them.
 */
export function aroundSlots(
  text: string,
  marks: readonly [string, string, string],
): [string, string, string, string] {
  const parts: string[] = []
  let rest = text
  for (const mark of marks) {
    const at = rest.indexOf(mark)
    if (at === -1) throw new TypeError(`${mark} is not in its place in ${text}`)
    parts.push(rest.slice(0, at))
    rest = rest.slice(at + mark.length)
  }
  const [first = '', second = '', third = ''] = parts
  return [first, second, third, rest]
}
