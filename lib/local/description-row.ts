/**
 * How descriptions are written to disk: an object of the members that are not null. A member that is absent reads as its default, even if
 * it did not exist when the row was written. The members are those of the table in the domain.
 */
import { DESCRIPTION_MEMBERS, type Description, describeWith } from '../domain/description.ts'

export type DescriptionRow = Partial<Description>

export const descriptionRow = (description: Description): DescriptionRow =>
  Object.fromEntries(
    DESCRIPTION_MEMBERS.flatMap((name) => (description[name] === null ? [] : [[name, description[name]]])),
  )

export const descriptionFromRow = (row: DescriptionRow): Description => describeWith((member) => row[member])
