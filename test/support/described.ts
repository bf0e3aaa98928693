/** The description of an artifact in tests: the given members, and the absent value of every other. */
import { type Description, describeWith } from '../../lib/domain/description.ts'

export const described = (members: Partial<Description> = {}): Description =>
  describeWith((member) => members[member])
