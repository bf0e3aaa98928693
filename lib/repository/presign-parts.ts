/** Returns presigned requests for the parts of an open multipart upload (docs/http-api.md, section 7.2). */
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { partCount, sizeOfPart } from '../domain/limits.ts'
import type { PartDigest, PresignedPart, UploadId } from '../domain/upload.ts'
import { isRestorable } from './lost-blob.ts'
import type { PartPresigner, StagingReader } from './upload-ports.ts'
import { unexpired } from './upload-record.ts'
import { presignedSeconds, type UploadStateDependencies, uploadState } from './upload-state.ts'

export interface PresignPartsDependencies extends UploadStateDependencies {
  readonly staging: StagingReader & PartPresigner
  readonly presignedSeconds: number
}

/**
 * @returns one request per part, in the order of `parts`.
 * @throws BucketError `upload_not_found`, `upload_conflict`, `invalid_request` for numbers that the upload does not have.
 */
export async function presignParts(
  deps: PresignPartsDependencies,
  id: UploadId,
  parts: readonly PartDigest[],
): Promise<readonly PresignedPart[]> {
  const [row, entry] = await Promise.all([deps.uploads.find(id), deps.ledger.find(id.ref)])
  const record = unexpired(row, deps.clock())
  // A version that is stored needs no more bytes, regardless of the row, unless it has lost them.
  const isStored = entry !== undefined && !(await isRestorable(deps.blobs, entry, id.digest))
  if (isStored || record?.mode !== 'multipart' || record.state !== 'open') {
    const upload = await uploadState(deps, id)
    const why = upload.state === 'open' ? 'is a single upload and has no parts' : `is ${upload.state}`
    throw new BucketError('upload_conflict', `the upload to ${formatRef(id.ref)} ${why}`, { upload })
  }
  const { size } = record
  const count = partCount(size)
  const errors = parts.flatMap(({ number }, at) =>
    number > count
      ? [{ name: `parts[${at}].number`, detail: `is beyond the ${count} parts of this upload` }]
      : [],
  )
  if (errors.length > 0) throw BucketError.invalidRequest(errors)
  const seconds = presignedSeconds(deps, record)
  return Promise.all(
    parts.map(async ({ number, sha256 }) => ({
      number,
      request: await deps.staging.presignPart(record, number, sizeOfPart(size, number), sha256, seconds),
    })),
  )
}
