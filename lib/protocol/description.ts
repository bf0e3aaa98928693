/**
 * The members of a description on the wire: their names in JSON and as headers of a store (docs/http-api.md, section 1).
 * Messages, headers, CORS lists, the OpenAPI document and clients derive from this table.
 */
import { DESCRIPTION_MEMBERS, type Description, describeWith } from '../domain/description.ts'

interface WireNames {
  readonly member: string
  readonly header: string
}

export const DESCRIPTION_WIRE = {
  contentType: { member: 'content_type', header: 'Content-Type' },
  uploadedBy: { member: 'uploaded_by', header: 'X-Uploaded-By' },
  provenanceSource: { member: 'provenance_source', header: 'X-Provenance-Source' },
} as const satisfies { readonly [M in keyof Description]: WireNames }

type Wire = typeof DESCRIPTION_WIRE

/** A description in JSON. */
export type DescriptionMessage = { readonly [M in keyof Description as Wire[M]['member']]: Description[M] }

/** What an uploader sent, or a row of an older version has: members may be missing. */
type GivenDescription = { readonly [M in keyof DescriptionMessage]?: string | null | undefined }

export function encodeDescription(description: Description): DescriptionMessage {
  const message: { -readonly [M in keyof DescriptionMessage]?: string | null } = {}
  for (const name of DESCRIPTION_MEMBERS) message[DESCRIPTION_WIRE[name].member] = description[name]
  // The table is typed by the interface, so each member has a value of its own type.
  return message as DescriptionMessage
}

/** A member that is missing or null gets its absent value. */
export const decodeDescription = (message: GivenDescription): Description =>
  describeWith((name) => message[DESCRIPTION_WIRE[name].member])

/** The headers of a store that carry a description. */
export const descriptionHeaders = (description: Description): Record<string, string> =>
  Object.fromEntries(
    DESCRIPTION_MEMBERS.flatMap((name) => {
      const value = description[name]
      return value === null ? [] : [[DESCRIPTION_WIRE[name].header, value]]
    }),
  )
