/** The descriptive members of docs/http-api.md, section 1, as arguments of tools and in their results: all from the one table. */
import { z } from 'zod'
import {
  DESCRIPTION,
  DESCRIPTION_MEMBERS,
  type Description,
  type DescriptionInput,
} from '../domain/description.ts'
import { DESCRIPTION_WIRE } from '../protocol/description.ts'

type Wire = typeof DESCRIPTION_WIRE
type ArgumentSchemas = { readonly [M in keyof Wire as Wire[M]['member']]: z.ZodOptional<z.ZodString> }
type EntrySchemas = { readonly [M in keyof Wire as Wire[M]['member']]: z.ZodType<Description[M]> }

/** Advice for a model, where the meaning of the member is not enough. */
const ADVICE: { readonly [M in keyof Description]?: string } = {
  contentType: `default ${DESCRIPTION.contentType.absent}`,
  uploadedBy: 'leave out what you do not know',
  provenanceSource: 'as a URL query, for example run=47&step=summary&git=3f2a91c',
}

const byWireName = <T>(schemaOf: (member: keyof Description) => T): Record<string, T> =>
  Object.fromEntries(DESCRIPTION_MEMBERS.map((member) => [DESCRIPTION_WIRE[member].member, schemaOf(member)]))

/** One argument for each member. */
export const DESCRIPTION_ARGUMENTS = byWireName((member) => {
  const { meaning, maxLength } = DESCRIPTION[member]
  const advice = ADVICE[member]
  const text = `${meaning}, 1-${maxLength} characters${advice === undefined ? '' : `; ${advice}`}`
  return z.string().optional().describe(text)
}) as ArgumentSchemas

/** The members as an entry shows them. */
export const DESCRIPTION_SCHEMAS = byWireName((member) =>
  DESCRIPTION[member].absent === null ? z.string().nullable() : z.string(),
) as unknown as EntrySchemas

/** @param args of a call, which may be invalid: what is not text is left out. */
export const descriptionArguments = (args: Readonly<Record<string, unknown>>): DescriptionInput =>
  Object.fromEntries(
    DESCRIPTION_MEMBERS.map((member) => {
      const value = args[DESCRIPTION_WIRE[member].member]
      return [member, typeof value === 'string' ? value : undefined]
    }),
  )
