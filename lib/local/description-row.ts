/**
 * How descriptions are written to disk: an object of the members that are not null. A member that is absent reads as its default, even if
 * it did not exist when the row was written. The members are those of the table in the domain.
 */
import { DESCRIPTION_MEMBERS, type Description, describeWith } from '../domain/description.ts'

export type DescriptionRow = Partial<Description>

export function descriptionRow(description: Description): DescriptionRow {
  const row: { -readonly [M in keyof Description]?: unknown } = {}
  for (const name of DESCRIPTION_MEMBERS) if (description[name] !== null) row[name] = description[name]
  // Each member has the value that it has in the description.
  return row as DescriptionRow
}

export const descriptionFromRow = (row: DescriptionRow): Description => describeWith((member) => row[member])
