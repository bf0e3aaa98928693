/** The documents of `--json` about a stored version (docs/cli.md). */
import type { Entry } from '../domain/entry.ts'
import { formatPinnedRef } from '../domain/identifiers.ts'
import { type EntryMessage, entryMessage } from '../protocol/entry-message.ts'

/** The entry in the words of the API, after its pinned ref. */
export const entryDocument = (entry: Entry): { readonly ref: string } & EntryMessage => ({
  ref: formatPinnedRef(entry),
  ...entryMessage(entry),
})
