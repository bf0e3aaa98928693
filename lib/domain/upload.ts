/** An upload: bytes on their way to an entry, found again by reference and digest alone, from any host. */
import type { Description } from './description.ts'
import type { BlobId, Entry } from './entry.ts'
import type { UploadFailure } from './failure.ts'
import type { UploadMode } from './limits.ts'

export type UploadId = BlobId

/** A part that the store has acknowledged: its bytes are complete, durable, and have this SHA-256. */
export interface ReceivedPart {
  /** From 1. */
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** 64 hex digits, checked by the store as the part arrived. */
  readonly sha256: string
}

/** A request that the store itself checks and answers. Send it verbatim. */
export interface PresignedRequest {
  readonly method: 'GET' | 'PUT'
  /** Absolute, or a path on the server that returned it. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** RFC 3339, UTC, milliseconds. */
  readonly expiresAt: string
}

/** The announcement of an uploader. */
export interface UploadTerms {
  /** Bytes. */
  readonly size: number
  /** Undefined where the service chooses. */
  readonly mode: UploadMode | undefined
  readonly description: Description
}

/** A part that a client is about to send. */
export interface PartDigest {
  /** From 1. */
  readonly number: number
  /** 64 hex digits. */
  readonly sha256: string
}

/** The request that stores one part. */
export interface PresignedPart {
  readonly number: number
  readonly request: PresignedRequest
}

interface UploadFacts {
  readonly id: UploadId
  /** Bytes. */
  readonly size: number
  readonly description: Description
  readonly mode: UploadMode
  /** RFC 3339, UTC, milliseconds. */
  readonly expiresAt: string
}

export type UploadState =
  /** `request` stores the bytes; only begin and commit return it. */
  | {
      readonly state: 'open'
      readonly mode: 'single'
      readonly received: boolean
      readonly request?: PresignedRequest
    }
  | { readonly state: 'open'; readonly mode: 'multipart'; readonly received: readonly ReceivedPart[] }
  | { readonly state: 'verifying'; readonly verifiedBytes: number }
  | { readonly state: 'committed'; readonly entry: Entry }
  | { readonly state: 'failed'; readonly failure: UploadFailure }

export type Upload = UploadFacts & UploadState
