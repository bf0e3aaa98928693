/** The failure of an upload as the rows of both stores keep it: details under their names on the wire. */
import type { Entry } from '../domain/entry.ts'
import type { UploadFailure } from '../domain/failure.ts'
import { type EntryMessage, entryFromMessage, entryMessage } from './entry-message.ts'
import { DETAIL_MEMBERS, type DetailName } from './errors.ts'

export interface StoredFailure {
  readonly code: UploadFailure['code']
  readonly detail: string
  readonly members: Readonly<Record<string, unknown>>
}

export function encodeFailure({ code, detail, details }: UploadFailure): StoredFailure {
  const members = Object.entries(details).map(([name, value]) => [
    DETAIL_MEMBERS[name as DetailName],
    name === 'stored' ? entryMessage(value as Entry) : value,
  ])
  return { code, detail, members: Object.fromEntries(members) }
}

/** Code and members were written together, by `encodeFailure`, so they form one failure again. */
export function decodeFailure({ code, detail, members }: StoredFailure): UploadFailure {
  const details = Object.entries(DETAIL_MEMBERS).flatMap(([name, member]) => {
    const value = members[member]
    if (value === undefined) return []
    return [[name, name === 'stored' ? entryFromMessage(value as EntryMessage) : value]]
  })
  return { code, detail, details: Object.fromEntries(details) } as UploadFailure
}
