/** An entry: the permanent record of one stored artifact version. */
import type { Description } from './description.ts'
import type { Digest } from './digest.ts'
import type { ArtifactRef } from './identifiers.ts'

/** Names the bytes of one version. References do not share blobs, so a caller cannot claim bytes that another stored. */
export interface BlobId {
  readonly ref: ArtifactRef
  readonly digest: Digest
}

export interface Entry extends BlobId, Description {
  /** Bytes. */
  readonly size: number
  /** RFC 3339, UTC, milliseconds. */
  readonly createdAt: string
}
