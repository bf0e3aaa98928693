/**
 * The description of an artifact: opaque text from the uploader, restricted to what a header can carry as well as JSON can
 * (docs/http-api.md, section 1). `DESCRIPTION` is the one table of its members: rows, wire, headers and limits derive from it.
 */
import { err, ok, type Result } from './result.ts'

/** Stored as given, never interpreted. */
export interface Description {
  /** The uploader's media type, or `DEFAULT_CONTENT_TYPE`. */
  readonly contentType: string
  readonly uploadedBy: string | null
  readonly provenanceSource: string | null
}

export const DEFAULT_CONTENT_TYPE = 'application/octet-stream'

/** The rule of one member, and its value if the uploader omits it. */
interface MemberRule<T> {
  /** Characters. */
  readonly maxLength: number
  readonly absent: T
}

/** Every member of a description, in the order in which messages show them. */
export const DESCRIPTION: { readonly [M in keyof Description]: MemberRule<Description[M]> } = {
  contentType: { maxLength: 255, absent: DEFAULT_CONTENT_TYPE },
  uploadedBy: { maxLength: 256, absent: null },
  provenanceSource: { maxLength: 1024, absent: null },
}

export const DESCRIPTION_MEMBERS = Object.keys(DESCRIPTION) as readonly (keyof Description)[]

/**
 * Builds a description member by member.
 *
 * @param read returns the text of a member. For null or undefined, the member gets its `absent` value.
 */
export function describeWith(read: (member: keyof Description) => string | null | undefined): Description {
  const members = DESCRIPTION_MEMBERS.map((member) => [member, read(member) ?? DESCRIPTION[member].absent])
  // The table is typed by the interface, so each member has a value of its own type.
  return Object.fromEntries(members) as Description
}

/** Only the description, from an entry or another value with its members. */
export const descriptionOf = (source: Description): Description => describeWith((member) => source[member])

/** Visible ASCII with single inner spaces. */
export const TEXT_PATTERN = '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$'
const text = new RegExp(TEXT_PATTERN)

/** @returns the text, or why Bucket does not store it: empty, too long, or not visible ASCII with single inner spaces. */
export function parseText(value: string, maxLength: number): Result<string> {
  if (value === '') return err('is empty: leave it out, or give at least one character')
  if (value.length > maxLength) return err(`has ${value.length} characters: at most ${maxLength} are stored`)
  if (!text.test(value)) return err('has characters other than visible ASCII with single inner spaces')
  return ok(value)
}
