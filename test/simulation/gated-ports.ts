/** The ports as one process sees them: every call that touches a store waits at the process's gate. */
import type { BlobStore, Ledger } from '../../lib/repository/ports.ts'
import type {
  Promotion,
  StagedBytes,
  Staging,
  Uploads,
  VerificationQueue,
} from '../../lib/repository/upload-ports.ts'
import { described } from '../support/described.ts'
import type { Process } from './process.ts'

export const gatedBlobs = (process: Process, blobs: BlobStore): BlobStore => ({
  ...blobs, // presigning touches no store
  write: (blob, bytes, options) => process.gate('blobs.write', () => blobs.write(blob, bytes, options)),
  inspect: (blob) => process.gate('blobs.inspect', () => blobs.inspect(blob)),
  read: (blob, range, signal) => process.gate('blobs.read', () => blobs.read(blob, range, signal)),
})

export const gatedLedger = (process: Process, ledger: Ledger): Ledger => ({
  ...ledger,
  find: (ref) => process.gate('ledger.find', () => ledger.find(ref)),
  append: (entry, commitId) => process.gate('ledger.append', () => ledger.append(entry, commitId)),
})

export const gatedUploads = (process: Process, uploads: Uploads): Uploads => ({
  find: (id) => process.gate('uploads.find', () => uploads.find(id)),
  write: (next, previous) => process.gate('uploads.write', () => uploads.write(next, previous)),
  remove: (previous) => process.gate('uploads.remove', () => uploads.remove(previous)),
})

export const gatedQueue = (process: Process, queue: VerificationQueue): VerificationQueue => ({
  send: (request) => process.gate('queue.send', () => queue.send(request)),
})

export const gatedStaging = (process: Process, staging: Staging): Staging => ({
  ...staging,
  begin: (id, attempt, size) => process.gate('staging.begin', () => staging.begin(id, attempt, size)),
  parts: (upload) => process.gate('staging.parts', () => staging.parts(upload)),
  complete: (upload, parts) => process.gate('staging.complete', () => staging.complete(upload, parts)),
  drop: (upload) => process.gate('staging.drop', () => staging.drop(upload)),
  async open(upload) {
    const staged = await process.gate('staging.open', () => staging.open(upload))
    return staged && gatedBytes(process, staged)
  },
})

const gatedBytes = (process: Process, staged: StagedBytes): StagedBytes => ({
  ...staged, // reads of a pinned object do not race
  promote: async (blob) =>
    gatedPromotion(process, await process.gate('staged.promote', () => staged.promote(blob, described()))),
})

const gatedPromotion = (process: Process, promotion: Promotion): Promotion => ({
  ...promotion, // waits for a started copy do not race
  publish: () => process.gate('promotion.publish', () => promotion.publish()),
  abandon: () => process.gate('promotion.abandon', () => promotion.abandon()),
})
