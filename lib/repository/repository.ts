/** The rules over one set of ports. Temporary: `lib/http` will call the rules directly. */
import type { ByteRange } from '../domain/byte-range.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactKey, ArtifactRef, Version } from '../domain/identifiers.ts'
import type { PresignedRequest, Upload, UploadId } from '../domain/upload.ts'
import { findEntry, presignFetch, readBytes } from './fetch.ts'
import { observe, type Timer } from './observe.ts'
import type { BlobStore, LedgerPage } from './ports.ts'
import { type PartRequest, type PresignedPart, presignParts } from './presign-parts.ts'
import { type StoreDependencies, type StoreRequest, store } from './store.ts'
import { abortUpload } from './upload-abort.ts'
import { type BeginDependencies, type BeginRequest, beginUpload } from './upload-begin.ts'
import { type CommitDependencies, type CommitResult, commitUpload } from './upload-commit.ts'
import { uploadState } from './upload-state.ts'

export type RepositoryDependencies = StoreDependencies &
  CommitDependencies &
  BeginDependencies & { readonly blobs: BlobStore }

/** The request that a rule works for. */
export interface Call {
  readonly requestId: string
  readonly signal?: AbortSignal | undefined
  readonly time: Timer
}

export interface Repository {
  readonly maxArtifactBytes: number
  readonly maxInlineBytes: number
  store(request: Omit<StoreRequest, 'commitId' | 'signal'>, call: Call): Promise<Entry>
  find(ref: ArtifactRef, expected: Digest | undefined, call: Call): Promise<Entry>
  read(entry: Entry, range: ByteRange | undefined, call: Call): Promise<AsyncIterable<Uint8Array>>
  presignFetch(entry: Entry, call: Call): Promise<PresignedRequest>
  list(key: ArtifactKey, after: Version | undefined, limit: number, call: Call): Promise<LedgerPage>
  beginUpload(request: BeginRequest, call: Call): Promise<{ created: boolean; upload: Upload }>
  uploadState(id: UploadId, call: Call): Promise<Upload>
  presignParts(id: UploadId, parts: readonly PartRequest[], call: Call): Promise<readonly PresignedPart[]>
  commitUpload(id: UploadId, call: Call): Promise<CommitResult>
  abortUpload(id: UploadId, call: Call): Promise<void>
  /** Resolves when the ledger answers one read and the blob store can take a write. */
  check(call: Call): Promise<void>
}

/** @param deps limits are in bytes; `maxInlineBytes` is the largest body of one request. */
export function createRepository(deps: RepositoryDependencies): Repository {
  const observed = ({ time }: Call): RepositoryDependencies => ({
    ...deps,
    ledger: observe(deps.ledger, 'ledger', time),
    blobs: observe(deps.blobs, 'blobs', time),
    uploads: observe(deps.uploads, 'uploads', time),
    staging: observe(deps.staging, 'blobs', time),
    queue: observe(deps.queue, 'uploads', time),
  })
  return {
    maxArtifactBytes: deps.maxArtifactBytes,
    maxInlineBytes: Math.min(deps.maxInlineBytes, deps.maxArtifactBytes),
    store: (request, call) =>
      store(observed(call), { ...request, commitId: call.requestId, signal: call.signal }),
    find: (ref, expected, call) => findEntry(observed(call), ref, expected),
    read: (entry, range, call) => readBytes(observed(call), entry, range, call.signal),
    presignFetch: (entry, call) => presignFetch(observed(call), entry),
    list: (key, after, limit, call) => observed(call).ledger.list(key, after, limit),
    beginUpload: (request, call) => beginUpload(observed(call), request),
    uploadState: (id, call) => uploadState(observed(call), id),
    presignParts: (id, parts, call) => presignParts(observed(call), id, parts),
    commitUpload: (id, call) => commitUpload(observed(call), { id, commitId: call.requestId }),
    abortUpload: (id, call) => abortUpload(observed(call), id),
    check: async (call) => {
      const { ledger, blobs } = observed(call)
      await ledger.check()
      await blobs.check()
    },
  }
}
