/** The messages between the page and the worker of one transfer. All are plain data that browsers can copy. */
import type { ArtifactDigests, Progress } from '../client/index.ts'
import type { DescriptionInput } from '../domain/description.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'
import type { Connection } from './connection.ts'
import type { Failure } from './failure.ts'

/** The job and the result of each kind of transfer. */
export interface Transfers {
  hash: { job: { readonly file: Blob }; result: ArtifactDigests }
  put: {
    job: {
      readonly connection: Connection
      readonly ref: ArtifactRef
      readonly file: Blob
      readonly digests: ArtifactDigests
      readonly description: DescriptionInput
    }
    result: { readonly entry: Entry; readonly created: boolean; readonly restored: boolean }
  }
  get: {
    job: {
      readonly connection: Connection
      readonly ref: ArtifactRef
      readonly digest: Digest
      /** The file to write; without it the bytes are collected in a Blob. */
      readonly file: FileSystemFileHandle | undefined
    }
    result: { readonly blob: Blob | undefined }
  }
}

export type TransferKind = keyof Transfers
export type Job<K extends TransferKind = TransferKind> = {
  [N in K]: { readonly kind: N } & Transfers[N]['job']
}[K]

export type ToWorker = Job | { readonly kind: 'cancel' }

export type FromWorker<K extends TransferKind = TransferKind> =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'done'; readonly result: Transfers[K]['result'] }
  | { readonly kind: 'canceled' }
  | { readonly kind: 'failed'; readonly failure: Failure }
