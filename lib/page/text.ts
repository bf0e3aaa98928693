/** Values as text for people. Text from elsewhere (names of files, provenance, answers of a server) is always shown as text. */

/**
 * Controls, characters that change the direction of text, and characters without a shape: they could make text look like other
 * text. A surrogate alone has no shape either.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu

/** @returns the text with every invisible character written as its escape, such as `\u{202e}`. */
export const visible = (text: string): string =>
  text.replace(INVISIBLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** @returns such as `19.1 MiB`; below 1 KiB the exact number. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1)
  // A number that rounds up to 1024 stays in its unit, so that no size looks larger than it is by a unit.
  return `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`
}

/** @returns such as `20,000,000`. */
export const formatCount = (count: number): string => count.toLocaleString('en-US')

/** @param time RFC 3339 in UTC. @returns such as `2026-11-23 04:00:00 UTC`, or the text itself if it is not a time. */
export function formatTime(time: string): string {
  const [, date, clock] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(time) ?? []
  return date === undefined ? visible(time) : `${date} ${clock} UTC`
}

/** @returns such as `48 %`; below 100 as long as bytes are missing. */
export const formatShare = (bytes: number, total: number): string =>
  `${total === 0 ? 100 : Math.floor((bytes / total) * 100)} %`
