/** The words of the page for the descriptive members of an entry. A member without words of its own shows its meaning. */
import { DESCRIPTION, type Description } from '../domain/description.ts'

interface Label {
  readonly label: string
  /** For the form of a store. */
  readonly hint: string
}

const LABELS: { readonly [M in keyof Description]?: Label } = {
  contentType: { label: 'Type', hint: `${DESCRIPTION.contentType.absent} if empty` },
  uploadedBy: { label: 'Stored by', hint: 'a person, job or cluster' },
  provenanceSource: { label: 'Provenance', hint: 'the run or source of these bytes' },
}

export const descriptionLabel = (member: keyof Description): Label =>
  LABELS[member] ?? { label: member, hint: DESCRIPTION[member].meaning }
