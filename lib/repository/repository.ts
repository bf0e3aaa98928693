/** The rules over one set of ports: what every front serves, whatever stands behind it. */
import type { ByteRange } from '../domain/byte-range.ts'
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactKey, ArtifactRef, Version } from '../domain/identifiers.ts'
import type { UploadMessage, UploadPartsMessage } from '../protocol/messages.ts'
import { findEntry, presignFetch, readBytes } from './fetch.ts'
import type { Call, LedgerPage, PresignedRequest } from './ports.ts'
import { type StoreDependencies, type StoreRequest, store } from './store.ts'
import { type BeginRequest, beginUpload, type PartRequest, uploadParts } from './upload-begin.ts'
import { type CommitResult, commitUpload, giveUpUpload } from './upload-commit.ts'
import type { UploadId } from './upload-ports.ts'
import type { UploadDependencies } from './upload-record.ts'
import { uploadState } from './upload-view.ts'

export type RepositoryDependencies = StoreDependencies & UploadDependencies

export interface Repository {
  readonly maxArtifactBytes: number
  readonly maxInlineBytes: number
  store(request: StoreRequest, call: Call): Promise<Entry>
  find(ref: ArtifactRef, expected: Digest | undefined, call: Call): Promise<Entry>
  read(entry: Entry, range: ByteRange | undefined, call: Call): Promise<AsyncIterable<Uint8Array>>
  presignFetch(entry: Entry, call: Call): Promise<PresignedRequest>
  list(key: ArtifactKey, after: Version | undefined, limit: number, call: Call): Promise<LedgerPage>
  beginUpload(request: BeginRequest, call: Call): Promise<{ created: boolean; upload: UploadMessage }>
  uploadState(id: UploadId, call: Call): Promise<UploadMessage>
  uploadParts(id: UploadId, parts: readonly PartRequest[], call: Call): Promise<UploadPartsMessage>
  commitUpload(id: UploadId, call: Call): Promise<CommitResult>
  giveUpUpload(id: UploadId, call: Call): Promise<void>
  /** Resolves when the ledger answers one read and the blob store can take a write. */
  check(call: Call): Promise<void>
}

/** @param deps limits are in bytes; `maxInlineBytes` is what this front takes in one request body. */
export function createRepository(deps: RepositoryDependencies): Repository {
  return {
    maxArtifactBytes: deps.maxArtifactBytes,
    maxInlineBytes: Math.min(deps.maxInlineBytes, deps.maxArtifactBytes),
    store: (request, call) => store(deps, request, call),
    find: (ref, expected, call) => findEntry(deps, ref, expected, call),
    read: (entry, range, call) => readBytes(deps, entry, range, call),
    presignFetch: (entry, call) => presignFetch(deps, entry, call),
    list: (key, after, limit, call) => call.time('ledger', deps.ledger.list(key, after, limit)),
    beginUpload: (request, call) => beginUpload(deps, request, call),
    uploadState: (id, call) => uploadState(deps, id, call),
    uploadParts: (id, parts, call) => uploadParts(deps, id, parts, call),
    commitUpload: (id, call) => commitUpload(deps, id, call),
    giveUpUpload: (id, call) => giveUpUpload(deps, id, call),
    check: async (call) => {
      await call.time('ledger', deps.ledger.check())
      await call.time('blobs', deps.blobs.check())
    },
  }
}
