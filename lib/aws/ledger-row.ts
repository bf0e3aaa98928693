/** The rows of the ledger, written and read only here. A row holds its whole entry, so that one read answers a fetch. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { LEDGER_KEY } from '../deployment/tables.ts'
import type { Description } from '../domain/description.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { type ArtifactKey, type ArtifactRef, formatArtifactKey, type Version } from '../domain/identifiers.ts'
import { count, type Row, rowCodec, string, text } from './rows.ts'

/** A row without its key. */
interface LedgerRow extends Omit<Entry, 'ref' | keyof Description> {
  readonly description: Description
  /** Names the request that wrote the row. */
  readonly commitId: string
}

const codec = rowCodec<LedgerRow>('the ledger', {
  digest: text<Digest>(),
  size: count,
  createdAt: text(),
  commitId: text(),
})

export const partition = (key: ArtifactKey): AttributeValue => string(formatArtifactKey(key))

export const rowKey = (ref: ArtifactRef): Row => ({
  [LEDGER_KEY.partition]: partition(ref),
  [LEDGER_KEY.sort]: string(ref.version),
})

/** A key that no row has, for health checks: identifiers start with a letter or digit. */
export const UNUSED_KEY: Row = { [LEDGER_KEY.partition]: string('-'), [LEDGER_KEY.sort]: string('-') }

export const rowOf = ({ ref, digest, size, createdAt, ...description }: Entry, commitId: string): Row => ({
  ...rowKey(ref),
  ...codec.encode({ digest, size, createdAt, commitId, description }),
})

export interface CommittedEntry {
  readonly entry: Entry
  readonly commitId: string
}

/** @throws Error if the row is not one that this module wrote. */
export function committedEntry({ bucketId, artifactId }: ArtifactKey, row: Row): CommittedEntry {
  const { commitId, description, ...facts } = codec.decode(row)
  return {
    entry: { ref: { bucketId, artifactId, version: versionOf(row) }, ...facts, ...description },
    commitId,
  }
}

export const entryOf = (key: ArtifactKey, row: Row): Entry => committedEntry(key, row).entry

/** The version of a row, or of the key at which a page ended. It was checked before it was written. */
export function versionOf(row: Row): Version {
  const version = row[LEDGER_KEY.sort]?.S
  if (version === undefined) throw new Error('a row of the ledger has no version')
  return version as Version
}
