/** The shape of a ledger row, written and read only here. A row carries all of its entry, so that one read answers a fetch. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { LEDGER_KEY } from '../deployment/tables.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { type ArtifactKey, type ArtifactRef, formatArtifactKey, type Version } from '../domain/identifiers.ts'
import { number, optional, type Row, rowReader, string } from './rows.ts'

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

export const partition = (key: ArtifactKey): AttributeValue => string(formatArtifactKey(key))

export const rowKey = (ref: ArtifactRef): Row => ({
  [LEDGER_KEY.partition]: partition(ref),
  [LEDGER_KEY.sort]: string(ref.version),
})

export const rowOf = (entry: Entry, commitId: string): Row => ({
  ...rowKey(entry.ref),
  [ATTRIBUTES.digest]: string(entry.digest),
  [ATTRIBUTES.size]: number(entry.size),
  [ATTRIBUTES.contentType]: string(entry.contentType),
  ...optional(ATTRIBUTES.uploadedBy, entry.uploadedBy),
  ...optional(ATTRIBUTES.provenanceSource, entry.provenanceSource),
  [ATTRIBUTES.createdAt]: string(entry.createdAt),
  [ATTRIBUTES.commitId]: string(commitId),
})

const { text, optionalText, count } = rowReader('the ledger')

/** @throws Error when the row is none that this module wrote: better no answer than a wrong one. */
export const entryOf = (key: ArtifactKey, row: Row): Entry => ({
  ref: { bucketId: key.bucketId, artifactId: key.artifactId, version: versionOf(row) },
  // What stands in the ledger was checked before it was written.
  digest: text(row, ATTRIBUTES.digest) as Digest,
  size: count(row, ATTRIBUTES.size),
  contentType: text(row, ATTRIBUTES.contentType),
  uploadedBy: optionalText(row, ATTRIBUTES.uploadedBy),
  provenanceSource: optionalText(row, ATTRIBUTES.provenanceSource),
  createdAt: text(row, ATTRIBUTES.createdAt),
})

/** The version of a row, or of the key at which a page ended; it was checked before it was written. */
export const versionOf = (row: Row): Version => text(row, LEDGER_KEY.sort) as Version

export const commitIdOf = (row: Row): string => text(row, ATTRIBUTES.commitId)
