/** The dependencies of all rules, so that one set of fakes serves all of them. */
import type { BlobStore, Clock, Ledger } from '../../lib/repository/ports.ts'
import type { Staging, Uploads, VerificationQueue } from '../../lib/repository/upload-ports.ts'

export interface RuleDependencies {
  readonly blobs: BlobStore
  readonly ledger: Ledger
  readonly uploads: Uploads
  readonly staging: Staging
  readonly queue: VerificationQueue
  readonly clock: Clock
  readonly maxArtifactBytes: number
  readonly maxInlineBytes: number
  readonly presignedSeconds: number
}
