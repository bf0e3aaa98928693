/** The wire form of an entry (docs/http-api.md, section 3): encoded and decoded only here. */
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'

/** The wire form of an entry: exactly these members. */
export interface EntryMessage {
  readonly bucket_id: string
  readonly artifact_id: string
  readonly version: string
  readonly digest: string
  readonly size: number
  readonly content_type: string
  readonly uploaded_by: string | null
  readonly provenance_source: string | null
  readonly created_at: string
}

export function entryMessage(entry: Entry): EntryMessage {
  return {
    bucket_id: entry.ref.bucketId,
    artifact_id: entry.ref.artifactId,
    version: entry.ref.version,
    digest: entry.digest,
    size: entry.size,
    content_type: entry.contentType,
    uploaded_by: entry.uploadedBy,
    provenance_source: entry.provenanceSource,
    created_at: entry.createdAt,
  }
}

/** Reads the wire form back. The message must come from Bucket itself: its identifiers are not checked again. */
export function entryFromMessage(message: EntryMessage): Entry {
  return {
    ref: {
      bucketId: message.bucket_id,
      artifactId: message.artifact_id,
      version: message.version,
    } as ArtifactRef,
    digest: message.digest as Digest,
    size: message.size,
    contentType: message.content_type,
    uploadedBy: message.uploaded_by,
    provenanceSource: message.provenance_source,
    createdAt: message.created_at,
  }
}
