/** The domain value of every message, which handlers return and clients get. Encoders and decoders are typed by it. */
import type { Entry } from '../domain/entry.ts'
import type { BucketError, ErrorCode } from '../domain/errors.ts'
import type { PartDigest, PresignedPart, PresignedRequest, Upload, UploadTerms } from '../domain/upload.ts'

/** One page of a list. `next` continues the list; null on the last page. */
export interface Page {
  readonly entries: readonly Entry[]
  readonly next: string | null
}

/** A request that returns the bytes, and their description. */
export interface Download {
  readonly request: PresignedRequest
  readonly entry: Pick<Entry, 'digest' | 'size'>
}

/** Bytes, throughout. */
export interface ServiceLimits {
  readonly maxArtifactBytes: number
  /** The largest body of one request. */
  readonly maxInlineBytes: number
}

/** By the name of the message (messages.ts). */
export interface MessageValues {
  Entry: Entry
  VersionsPage: Page
  Download: Download
  Upload: Upload
  BeginUpload: UploadTerms
  PresignParts: readonly PartDigest[]
  PartRequests: readonly PresignedPart[]
  Service: ServiceLimits
  Health: 'ok'
  Problem: BucketError
  ProblemPage: ErrorCode
  ProblemPages: readonly ErrorCode[]
}
