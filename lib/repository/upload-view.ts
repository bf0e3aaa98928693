/**
 * What a caller sees of an upload. The ledger has the last word: an upload whose digest it holds is committed, whatever its row
 * says, and one whose version it holds with other bytes has failed.
 */
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { defaultMode, partCount, partSize } from '../domain/limits.ts'
import { entryMessage } from '../protocol/entry-message.ts'
import type { PresignedRequestMessage, UploadMessage } from '../protocol/messages.ts'
import { problemMessage } from '../protocol/problem.ts'
import { versionExists } from './conflict.ts'
import type { Call, PresignedRequest } from './ports.ts'
import type { StoredProblem, UploadId, UploadRecord } from './upload-ports.ts'
import { live, type UploadDependencies } from './upload-record.ts'

/**
 * The state of an upload; writes nothing.
 *
 * @throws BucketError `upload_not_found` (docs/http-api.md, section 7.4).
 */
export async function uploadState(
  deps: UploadDependencies,
  id: UploadId,
  call: Call,
): Promise<UploadMessage> {
  const [row, first] = await Promise.all([
    call.time('uploads', deps.uploads.find(id)),
    call.time('ledger', deps.ledger.find(id.ref)),
  ])
  const record = live(row, deps.clock())
  // The ledger may have been read just before the commit that the row tells of.
  const isLate = first === undefined && record?.state === 'committed'
  const entry = isLate ? await call.time('ledger', deps.ledger.find(id.ref)) : first
  if (entry?.digest === id.digest) return committedMessage(entry, record)
  if (!record) throw uploadNotFound(id)
  if (entry && record.state !== 'failed')
    return {
      ...baseMessage(record),
      state: 'failed',
      problem: problemMessage(versionExists(id.digest, entry), call.requestId),
    }
  return stateMessage(deps, record, call)
}

export const uploadNotFound = (id: UploadId): BucketError<'upload_not_found'> =>
  new BucketError('upload_not_found', `no upload of ${id.digest} to ${formatRef(id.ref)} is under way`, {})

/** A row as the uploader sees it: while the bytes of a single upload are awaited, with the request that stores them. */
export async function uploadMessage(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
): Promise<UploadMessage> {
  const state = await stateMessage(deps, record, call)
  if (record.state !== 'open' || record.mode !== 'single') return state
  const { id, size, description } = record
  const seconds = presignedSeconds(deps, record)
  const request = await deps.blobs.presignPut(id, size, description.contentType, seconds)
  return { ...state, request: presignedMessage(request) }
}

/** A row as anybody sees it; for an open one the staging area, or the blob store, is asked what has arrived. */
async function stateMessage(
  deps: UploadDependencies,
  record: UploadRecord,
  call: Call,
): Promise<UploadMessage> {
  const base = baseMessage(record)
  switch (record.state) {
    case 'verifying':
      return { ...base, verified_bytes: record.verifiedBytes }
    case 'failed':
      return record.problem
        ? { ...base, problem: problemMessage(revive(record.problem), call.requestId) }
        : base
    case 'committed':
      return base
    case 'open': {
      if (record.mode === 'multipart') return openMultipart(deps, record, base, call)
      const blob = await call.time('blobs', deps.blobs.inspect(record.id))
      return { ...base, received: blob.found }
    }
  }
}

async function openMultipart(
  deps: UploadDependencies,
  record: UploadRecord,
  base: UploadMessage,
  call: Call,
) {
  const received = await call.time('blobs', deps.staging.parts(record))
  return { ...base, ...partsOf(record.size), received: [...(received ?? [])] }
}

export const partsOf = (size: number) => ({ part_size: partSize(size), part_count: partCount(size) })

/** No request outlives its upload. */
export const presignedSeconds = (deps: UploadDependencies, record: UploadRecord): number =>
  Math.max(1, Math.min(deps.presignedSeconds, Math.floor((record.expiresAt - deps.clock()) / 1000)))

export const presignedMessage = ({
  method,
  url,
  headers,
  expiresAt,
}: PresignedRequest): PresignedRequestMessage => ({
  method,
  url,
  headers: { ...headers },
  expires_at: expiresAt,
})

/** The error that a row remembers: the end of its upload, also where stores that work again would do what failed. */
export const revive = ({ code, detail, members }: StoredProblem): BucketError =>
  new BucketError(
    code,
    detail,
    members,
    code === 'unavailable'
      ? { retryAfter: 1, next: 'Begin the upload anew with PUT, and send its bytes again.' }
      : {},
  )

const baseMessage = (record: UploadRecord): UploadMessage => ({
  bucket_id: record.id.ref.bucketId,
  artifact_id: record.id.ref.artifactId,
  version: record.id.ref.version,
  digest: record.id.digest,
  size: record.size,
  content_type: record.description.contentType,
  uploaded_by: record.description.uploadedBy,
  provenance_source: record.description.provenanceSource,
  mode: record.mode,
  state: record.state,
  expires_at: new Date(record.expiresAt).toISOString(),
})

/** An upload that the ledger knows: with its row while there is one, else from the entry alone. */
export function committedMessage(entry: Entry, record: UploadRecord | undefined): UploadMessage {
  const { created_at, ...described } = entryMessage(entry)
  return {
    ...described,
    mode: record?.mode ?? defaultMode(entry.size),
    state: 'committed',
    expires_at: record ? new Date(record.expiresAt).toISOString() : created_at,
    entry: entryMessage(entry),
  }
}
