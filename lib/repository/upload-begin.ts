/** Beginning an upload, or finding it again; and the requests for its parts (docs/http-api.md, sections 7.1 and 7.2). */
import type { Description } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import {
  defaultMode,
  GIB,
  MAX_SINGLE_BYTES,
  partCount,
  sizeOfPart,
  type UploadMode,
} from '../domain/limits.ts'
import type { UploadMessage, UploadPartsMessage } from '../protocol/messages.ts'
import { versionExists } from './conflict.ts'
import type { Call } from './ports.ts'
import { retryWrites } from './retry-writes.ts'
import type { UploadId, UploadRecord } from './upload-ports.ts'
import { live, newAttempt, openRecord, type UploadDependencies } from './upload-record.ts'
import { presignedMessage, presignedSeconds, uploadMessage, uploadState } from './upload-view.ts'

export interface BeginRequest {
  readonly id: UploadId
  readonly size: number
  readonly mode: UploadMode | undefined
  readonly description: Description
}

/**
 * Begins an upload, or finds the live one of the same reference and digest.
 *
 * @returns the upload, and whether it is new.
 * @throws BucketError `invalid_request`, `artifact_too_large`, `version_exists`, `upload_conflict` (another size).
 */
export async function beginUpload(
  deps: UploadDependencies,
  request: BeginRequest,
  call: Call,
): Promise<{ created: boolean; upload: UploadMessage }> {
  const { id, size } = request
  const mode = chooseMode(request)
  if (size > deps.maxArtifactBytes)
    throw new BucketError(
      'artifact_too_large',
      `${size} bytes exceed the limit of ${deps.maxArtifactBytes} bytes for one artifact`,
      {
        size,
        max_artifact_bytes: deps.maxArtifactBytes,
      },
    )
  const stored = await call.time('ledger', deps.ledger.find(id.ref))
  if (stored) throw versionExists(id.digest, stored)

  const { created, record } = await retryWrites(async () => {
    const row = await call.time('uploads', deps.uploads.find(id))
    const existing = live(row, deps.clock())
    if (existing?.state === 'committed') {
      const entry = await call.time('ledger', deps.ledger.find(id.ref))
      if (entry) throw versionExists(id.digest, entry)
    } else if (existing && existing.state !== 'failed' && (await isUsable(deps, existing, call)))
      return { created: false, record: existing }
    return openNew(deps, { ...request, mode }, row, call)
  })
  const upload = await uploadMessage(deps, record, call)
  if (record.size !== size)
    throw new BucketError(
      'upload_conflict',
      `an upload of this digest is under way with ${record.size} bytes, not ${size}`,
      { upload },
      {
        next: 'Give the upload that is there up with DELETE, then begin anew.',
      },
    )
  return { created, upload }
}

/** An open multipart upload whose place for parts is gone (expired early, dropped by hand) can never be finished. */
const isUsable = async (deps: UploadDependencies, record: UploadRecord, call: Call): Promise<boolean> =>
  record.state !== 'open' ||
  record.mode === 'single' ||
  (await call.time('blobs', deps.staging.parts(record))) !== undefined

function chooseMode({ size, mode }: BeginRequest): UploadMode {
  if (size === 0) return 'single'
  if (mode === 'single' && size > MAX_SINGLE_BYTES)
    throw BucketError.invalidRequest([
      {
        in: 'body',
        name: 'mode',
        detail: `single is possible up to ${MAX_SINGLE_BYTES / GIB} GiB: use multipart`,
      },
    ])
  return mode ?? defaultMode(size)
}

/** The place for parts first, then the row that names it: a place that no row names holds nothing and expires. */
async function openNew(
  deps: UploadDependencies,
  request: BeginRequest & { readonly mode: UploadMode },
  previous: UploadRecord | undefined,
  call: Call,
): Promise<{ created: true; record: UploadRecord } | undefined> {
  const { id, size, mode, description } = request
  const attempt = newAttempt()
  const stagingId = mode === 'single' ? null : await call.time('blobs', deps.staging.begin(id, attempt, size))
  const record = openRecord({ id, size, mode, description }, attempt, stagingId, deps.clock(), previous)
  if (await call.time('uploads', deps.uploads.write(record, previous))) {
    if (previous?.stagingId) await deps.staging.drop(previous).catch(() => undefined) // expires by itself
    return { created: true, record }
  }
  if (stagingId !== null) await deps.staging.drop(record).catch(() => undefined) // expires by itself
  return undefined
}

export interface PartRequest {
  readonly number: number
  /** 64 hex digits. */
  readonly sha256: string
}

/**
 * Requests for parts of an open multipart upload.
 *
 * @throws BucketError `upload_not_found`, `upload_conflict`, `invalid_request` for numbers that it does not have.
 */
export async function uploadParts(
  deps: UploadDependencies,
  id: UploadId,
  parts: readonly PartRequest[],
  call: Call,
): Promise<UploadPartsMessage> {
  const [row, entry] = await Promise.all([
    call.time('uploads', deps.uploads.find(id)),
    call.time('ledger', deps.ledger.find(id.ref)),
  ])
  const record = live(row, deps.clock())
  // A version that is taken needs no more bytes, whatever the row says.
  if (entry || record?.mode !== 'multipart' || record.state !== 'open') {
    const upload = await uploadState(deps, id, call)
    const why = upload.state === 'open' ? 'is a single upload and has no parts' : `is ${upload.state}`
    throw new BucketError('upload_conflict', `the upload to ${formatRef(id.ref)} ${why}`, { upload })
  }
  const count = partCount(record.size)
  const beyond = parts.flatMap(({ number }, at) =>
    number > count
      ? [
          {
            in: 'body' as const,
            name: `parts[${at}].number`,
            detail: `is beyond the ${count} parts of this upload`,
          },
        ]
      : [],
  )
  if (beyond.length > 0) throw BucketError.invalidRequest(beyond)
  const seconds = presignedSeconds(deps, record)
  const requests = parts.map(async ({ number, sha256 }) => {
    const request = await deps.staging.presignPart(
      record,
      number,
      sizeOfPart(record.size, number),
      sha256,
      seconds,
    )
    return { number, request: presignedMessage(request) }
  })
  return { parts: await Promise.all(requests) }
}
