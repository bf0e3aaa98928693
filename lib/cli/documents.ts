/** The documents of `--json` about a stored version (docs/cli.md). */
import type { Entry } from '../domain/entry.ts'
import { formatRef } from '../domain/identifiers.ts'
import { type EntryMessage, entryMessage } from '../protocol/entry-message.ts'

/** `bucket_id/artifact_id/version@sha256:…` */
export const pinnedRef = ({ ref, digest }: Pick<Entry, 'ref' | 'digest'>): string =>
  `${formatRef(ref)}@${digest}`

/** The entry in the words of the API, after its pinned ref. */
export const entryDocument = (entry: Entry): { readonly ref: string } & EntryMessage => ({
  ref: pinnedRef(entry),
  ...entryMessage(entry),
})
