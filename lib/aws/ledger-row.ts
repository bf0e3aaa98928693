/**
 * The shape of a ledger row, written and read only here. Attribute values are typed by hand: no marshaller decides
 * what an empty string or a large number becomes. A row carries all of its entry, so that one read answers a fetch.
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { Digest } from '#protocol/digest'
import type { Entry } from '#protocol/entry'
import { type ArtifactKey, type ArtifactRef, formatArtifactKey, type Version } from '#protocol/identifiers'
import { LEDGER_KEY } from '#protocol/tables'

export type Row = Record<string, AttributeValue>

/** Attributes beside the keys. `commit_id` names the request that wrote the row. */
const ATTRIBUTES = {
  digest: 'digest',
  size: 'size',
  contentType: 'content_type',
  uploadedBy: 'uploaded_by',
  provenanceSource: 'provenance_source',
  createdAt: 'created_at',
  commitId: 'commit_id',
} as const

export const partition = (key: ArtifactKey): AttributeValue => ({ S: formatArtifactKey(key) })

export const rowKey = (ref: ArtifactRef): Row => ({
  [LEDGER_KEY.partition]: partition(ref),
  [LEDGER_KEY.sort]: { S: ref.version },
})

const optional = (name: string, value: string | null): Row => (value === null ? {} : { [name]: { S: value } })

export const rowOf = (entry: Entry, commitId: string): Row => ({
  ...rowKey(entry.ref),
  [ATTRIBUTES.digest]: { S: entry.digest },
  [ATTRIBUTES.size]: { N: String(entry.size) },
  [ATTRIBUTES.contentType]: { S: entry.contentType },
  ...optional(ATTRIBUTES.uploadedBy, entry.uploadedBy),
  ...optional(ATTRIBUTES.provenanceSource, entry.provenanceSource),
  [ATTRIBUTES.createdAt]: { S: entry.createdAt },
  [ATTRIBUTES.commitId]: { S: commitId },
})

/** @throws Error when the row is none that this module wrote: better no answer than a wrong one. */
export const entryOf = (key: ArtifactKey, row: Row): Entry => ({
  ref: { bucketId: key.bucketId, artifactId: key.artifactId, version: versionOf(row) },
  // What stands in the ledger was checked before it was written.
  digest: text(row, ATTRIBUTES.digest) as Digest,
  size: Number(row[ATTRIBUTES.size]?.N ?? broken(ATTRIBUTES.size)),
  contentType: text(row, ATTRIBUTES.contentType),
  uploadedBy: row[ATTRIBUTES.uploadedBy]?.S ?? null,
  provenanceSource: row[ATTRIBUTES.provenanceSource]?.S ?? null,
  createdAt: text(row, ATTRIBUTES.createdAt),
})

/** The version of a row, or of the key at which a page ended; it was checked before it was written. */
export const versionOf = (row: Row): Version => text(row, LEDGER_KEY.sort) as Version

export const commitIdOf = (row: Row): string => text(row, ATTRIBUTES.commitId)

const text = (row: Row, name: string): string => row[name]?.S ?? broken(name)

function broken(name: string): never {
  throw new Error(`a row of the ledger has no ${name}`)
}
