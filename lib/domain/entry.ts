/**
 * An entry: what Bucket remembers permanently about one stored artifact version.
 */
import type { Digest } from './digest.ts'
import type { ArtifactRef } from './identifiers.ts'

/** What the uploader says about an artifact; stored as given, never interpreted. */
export interface Description {
  /** As the uploader said, else `application/octet-stream`. */
  readonly contentType: string
  readonly uploadedBy: string | null
  readonly provenanceSource: string | null
}

export interface Entry extends Description {
  readonly ref: ArtifactRef
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** RFC 3339, UTC, milliseconds. */
  readonly createdAt: string
}

export const DEFAULT_CONTENT_TYPE = 'application/octet-stream'
