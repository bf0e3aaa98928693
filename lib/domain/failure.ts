/** Why an upload ended without an entry: plain values, which its row keeps. `toError` makes the error of one. */
import type { Digest } from './digest.ts'
import type { Entry } from './entry.ts'

export interface DigestMismatch {
  readonly declaredDigest: Digest
  /** Absent if the bytes were not hashed, because their number alone was wrong. */
  readonly computedDigest?: Digest
  /** Bytes that arrived. */
  readonly size?: number
  /** One sentence on the likely cause. */
  readonly hint?: string
}

/** Whether the stored bytes are those of the declared digest. */
export type Conflict = 'identical' | 'different'

export interface VersionConflict {
  readonly conflict: Conflict
  readonly declaredDigest: Digest
  readonly stored: Entry
}

interface FailureDetails {
  digest_mismatch: DigestMismatch
  version_exists: VersionConflict
  unavailable: Record<never, never>
}

export type FailureCode = keyof FailureDetails

export type UploadFailure = {
  readonly [C in FailureCode]: {
    readonly code: C
    /** The failure in one sentence. */
    readonly detail: string
    readonly details: FailureDetails[C]
  }
}[FailureCode]
