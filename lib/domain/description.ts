/**
 * The description of an artifact: opaque text from the uploader, restricted to what a header can carry as well as JSON can
 * (docs/http-api.md, section 1). `DESCRIPTION` is the one table of its members: rows, wire, headers, limits, and the options of the
 * command line and the clients derive from it.
 */
import { err, ok, type Result } from './result.ts'

/** Stored as given, never interpreted. */
export interface Description {
  /** The uploader's media type; `application/octet-stream` if the uploader gave none. At most 255 characters. */
  readonly contentType: string
  /** Who stored the artifact: opaque text of 1 to 256 characters. */
  readonly uploadedBy: string | null
  /** Where the artifact comes from: opaque text of 1 to 1,024 characters. */
  readonly provenanceSource: string | null
}

/** A description as an uploader gives it: every member is optional. */
export type DescriptionInput = { readonly [M in keyof Description]?: string | undefined }

export const DEFAULT_CONTENT_TYPE = 'application/octet-stream'

/** The rule of one member, and its value if the uploader omits it. */
interface MemberRule<T> {
  /** For the help of the command line and the OpenAPI document. */
  readonly meaning: string
  /** Characters. */
  readonly maxLength: number
  readonly absent: T
}

/** Every member of a description, in the order in which messages show them. */
export const DESCRIPTION: { readonly [M in keyof Description]: MemberRule<Description[M]> } = {
  contentType: { meaning: 'the media type', maxLength: 255, absent: DEFAULT_CONTENT_TYPE },
  uploadedBy: { meaning: 'who stores it', maxLength: 256, absent: null },
  provenanceSource: { meaning: 'where it comes from', maxLength: 1024, absent: null },
}

export const DESCRIPTION_MEMBERS = Object.keys(DESCRIPTION) as readonly (keyof Description)[]

/**
 * Builds a description member by member.
 *
 * @param read the text of a member, or null or undefined where there is none: the member then has its `absent` value.
 */
export function describeWith(read: (member: keyof Description) => string | null | undefined): Description {
  const description: { -readonly [M in keyof Description]?: string | null } = {}
  for (const member of DESCRIPTION_MEMBERS) description[member] = read(member) ?? DESCRIPTION[member].absent
  // The table is typed by the interface, so each member has a value of its own type.
  return description as Description
}

/** The description alone, taken from an entry or from what an uploader gave. */
export const descriptionOf = (source: Description | DescriptionInput): Description =>
  describeWith((member) => source[member])

/** The members that an uploader gave, taken from options that hold more. */
export const descriptionInput = (options: DescriptionInput): DescriptionInput =>
  Object.fromEntries(DESCRIPTION_MEMBERS.map((member) => [member, options[member]]))

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
