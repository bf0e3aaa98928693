/**
 * Resumes the verifications that an earlier process did not finish. The holder of the folder's lock knows that their verifiers
 * are dead, so it does not wait for their leases.
 */
import type { Clock } from '../repository/ports.ts'
import type { VerificationQueue } from '../repository/upload-ports.ts'
import { changed } from '../repository/upload-record.ts'
import type { LmdbUploads } from './lmdb-uploads.ts'

/** Call it once, before another verifier can take a lease. */
export async function resumeVerifications(
  uploads: LmdbUploads,
  queue: VerificationQueue,
  clock: Clock,
): Promise<void> {
  for (const row of uploads.all()) {
    if (row.state !== 'verifying' || row.expiresAt <= clock()) continue
    if (row.leaseOwner !== null) await uploads.write(changed(row, { leaseOwner: null }), row)
    await queue.send(row)
  }
}
