/** The options that describe an artifact: one for each descriptive member (docs/http-api.md, section 1). */
import type { Command } from 'commander'
import { DESCRIPTION, DESCRIPTION_MEMBERS, type Description } from '../domain/description.ts'
import { DESCRIPTION_WIRE } from '../protocol/description.ts'

type Member = keyof Description

/** `--uploaded-by` for `uploadedBy`, which is also the name under which the command line's parser returns its value. */
export const optionOf = (member: Member): string =>
  `--${member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** Adds an option for each of the members. */
export function withDescription(command: Command, members: readonly Member[] = DESCRIPTION_MEMBERS): Command {
  for (const member of members) {
    const { meaning, maxLength, absent } = DESCRIPTION[member]
    const fallback = absent === null ? '' : ` (default: ${absent})`
    command.option(
      `${optionOf(member)} <text>`,
      `${meaning}: opaque text, 1-${maxLength} characters${fallback}`,
    )
  }
  return command
}

/** The option of a descriptive member, by the names that the member has in errors: in lower case, its own and those of the API. */
export const OPTIONS_BY_NAME: ReadonlyMap<string, string> = new Map(
  DESCRIPTION_MEMBERS.flatMap((member) => {
    const { member: name, header } = DESCRIPTION_WIRE[member]
    return [member, name, header].map((alias) => [alias.toLowerCase(), optionOf(member)])
  }),
)
