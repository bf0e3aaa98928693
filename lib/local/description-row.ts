/**
 * How descriptions are written to disk: an object of the members that are not null. A member that is absent, also because it did not exist
 * when the row was written, reads as its default.
 */
import { DEFAULT_CONTENT_TYPE, type Description } from '../domain/description.ts'

/** The compiler refuses this table when a member of a description is missing in it. */
const DEFAULTS: { readonly [M in keyof Description]: Description[M] } = {
  contentType: DEFAULT_CONTENT_TYPE,
  uploadedBy: null,
  provenanceSource: null,
}
const MEMBERS = Object.keys(DEFAULTS) as readonly (keyof Description)[]

export type DescriptionRow = Partial<Description>

export const descriptionRow = (description: Description): DescriptionRow =>
  Object.fromEntries(
    MEMBERS.flatMap((name) => (description[name] === null ? [] : [[name, description[name]]])),
  )

export const descriptionFromRow = (row: DescriptionRow): Description => ({ ...DEFAULTS, ...row })
