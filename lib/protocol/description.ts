/** How the wire names the members of a description: in JSON, and as headers of a store (docs/http-api.md, section 1). */
import type { Description } from '../domain/description.ts'

interface WireNames {
  readonly member: string
  readonly header: string
}

/** The one table of these names: messages, headers, CORS lists, the OpenAPI document and clients derive from it. */
export const DESCRIPTION_WIRE = {
  contentType: { member: 'content_type', header: 'Content-Type' },
  uploadedBy: { member: 'uploaded_by', header: 'X-Uploaded-By' },
  provenanceSource: { member: 'provenance_source', header: 'X-Provenance-Source' },
} as const satisfies { readonly [M in keyof Description]: WireNames }

type Wire = typeof DESCRIPTION_WIRE

/** A description in JSON. */
export type DescriptionMessage = { readonly [M in keyof Description as Wire[M]['member']]: Description[M] }
