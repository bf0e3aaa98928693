/** An entry in JSON (docs/http-api.md, section 3). Loads no schema library: a fetch needs this module. */
import type { Digest } from '../domain/digest.ts'
import type { BlobId, Entry } from '../domain/entry.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'
import { decodeDescription, encodeDescription } from './description.ts'
import type { EntryMessage } from './messages.ts'

export type { EntryMessage } from './messages.ts'

type IdMessage = Pick<EntryMessage, 'bucket_id' | 'artifact_id' | 'version' | 'digest'>

export const encodeId = ({ ref, digest }: BlobId): IdMessage => ({
  bucket_id: ref.bucketId,
  artifact_id: ref.artifactId,
  version: ref.version,
  digest,
})

/** @param message whose parts have been checked, by its schema or before it was written. */
export const decodeId = ({
  bucket_id: bucketId,
  artifact_id: artifactId,
  version,
  digest,
}: IdMessage): BlobId => ({
  ref: { bucketId, artifactId, version } as ArtifactRef,
  digest: digest as Digest,
})

export const entryMessage = (entry: Entry): EntryMessage =>
  // Faster than a literal with spread objects in it.
  Object.assign(encodeId(entry), { size: entry.size }, encodeDescription(entry), {
    created_at: entry.createdAt,
  })

/** @param message that has been checked, by its schema or before it was written. */
export const entryFromMessage = (message: EntryMessage): Entry => ({
  ...decodeId(message),
  size: message.size,
  ...decodeDescription(message),
  createdAt: message.created_at,
})
