/**
 * What an uploader may say about an artifact: opaque text that a header can carry as well as JSON can
 * (docs/http-api.md, section 1).
 */
import { faulty, type Parsed, parsed } from './validation.ts'

/** Visible ASCII with single inner spaces. */
export const TEXT_PATTERN = '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$'
const text = new RegExp(TEXT_PATTERN)

/** The longest form of each text, in characters. */
export const TEXT_LIMITS = { content_type: 255, uploaded_by: 256, provenance_source: 1024 } as const

/** @returns the text, or why it is none that Bucket stores: empty, too long, or not visible ASCII with single inner spaces. */
export function parseText(value: string, limit: number): Parsed<string> {
  if (value === '') return faulty('is empty: leave it out, or give at least one character')
  if (value.length > limit) return faulty(`has ${value.length} characters: at most ${limit} are stored`)
  if (!text.test(value)) return faulty('has characters other than visible ASCII with single inner spaces')
  return parsed(value)
}
