/**
 * How the rows of both stores keep the failure of an upload. Members have the names of the domain in snake case, and an entry
 * holds its reference in three members of its own.
 */
import { descriptionOf } from '../domain/description.ts'
import type { Entry } from '../domain/entry.ts'
import type { UploadFailure } from '../domain/failure.ts'

type Members = Readonly<Record<string, unknown>>

export interface FailureRow {
  readonly code: UploadFailure['code']
  readonly detail: string
  readonly members: Members
}

export function failureRow({ code, detail, details }: UploadFailure): FailureRow {
  const members = renamed(details, snakeCase)
  return {
    code,
    detail,
    members: 'stored' in details ? { ...members, stored: entryRow(details.stored) } : members,
  }
}

/** @param row that `failureRow` wrote: its code and its members form one failure again. */
export function failureFromRow({ code, detail, members }: FailureRow): UploadFailure {
  const { stored, ...details } = renamed(members, camelCase)
  const all = stored === undefined ? details : { ...details, stored: entryFromRow(stored as Members) }
  return { code, detail, details: all } as UploadFailure
}

const entryRow = ({ ref, ...facts }: Entry): Members => renamed({ ...ref, ...facts }, snakeCase)

function entryFromRow(row: Members): Entry {
  const { bucketId, artifactId, version, ...facts } = renamed(row, camelCase)
  // A descriptive member that did not exist when the row was written has its absent value.
  return {
    ...facts,
    ref: { bucketId, artifactId, version },
    ...descriptionOf(facts as unknown as Entry),
  } as Entry
}

const renamed = (members: object, rename: (name: string) => string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [rename(name), value]))

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
