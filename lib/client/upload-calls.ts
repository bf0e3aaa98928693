/** The requests about one upload, each repeated as long as that is worth it (docs/http-api.md, section 7). */
import type { Digest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { type BucketError, isBucketError } from '../domain/errors.ts'
import type { ArtifactRef } from '../domain/identifiers.ts'
import { commitPath, uploadPartsPath, uploadPath } from '../protocol/routes.ts'
import { readEntryOf, readJson, unintelligible } from './answers.ts'
import type { Front, FrontRequest, Presigned } from './front.ts'
import { readRetryAfter } from './problem.ts'
import { retrying } from './retry.ts'
import { isRetryable } from './retry-timing.ts'
import { bytesSource } from './source.ts'
import { type BegunUpload, readPresigned, readUpload, type Upload } from './upload-message.ts'

export interface UploadId {
  readonly ref: ArtifactRef
  readonly digest: Digest
}

export interface UploadTerms {
  /** Bytes. */
  readonly size: number
  readonly contentType: string | undefined
  readonly uploadedBy: string | undefined
  readonly provenanceSource: string | undefined
}

const withJson = (front: Front, value: unknown): Pick<FrontRequest, 'headers' | 'body'> => {
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  const hash = front.platform.sha256()
  hash.update(bytes)
  return {
    headers: { 'content-type': 'application/json' },
    body: { source: bytesSource(bytes), sha256: hash.hex() },
  }
}

/** Begins an upload or finds it again; the service chooses how it is sent. */
export async function beginUpload(
  front: Front,
  { ref, digest }: UploadId,
  { size, contentType, uploadedBy, provenanceSource }: UploadTerms,
  signal: AbortSignal | undefined,
): Promise<BegunUpload> {
  const answer = await front.json({
    method: 'PUT',
    path: uploadPath(ref, digest),
    ...withJson(front, {
      size,
      content_type: contentType,
      uploaded_by: uploadedBy,
      provenance_source: provenanceSource,
    }),
    accept: [200, 201],
    signal,
  })
  return readUpload(answer, ref, digest)
}

/** @throws BucketError `upload_not_found`. */
export async function uploadState(
  front: Front,
  id: UploadId,
  signal: AbortSignal | undefined,
): Promise<Upload> {
  return await retrying(front.retry, signal, () => lookAtUpload(front, id, signal))
}

/** One attempt of the same. */
async function lookAtUpload(
  front: Front,
  { ref, digest }: UploadId,
  signal: AbortSignal | undefined,
): Promise<Upload> {
  const path = uploadPath(ref, digest)
  const response = await front.attempt({ method: 'GET', path, accept: [200], signal })
  const { request: _, ...upload } = readUpload(await readJson(response, front.timeouts), ref, digest)
  return upload
}

/** @throws BucketError `upload_not_found`; `upload_conflict` while it is verified or once it is committed. */
export async function giveUpUpload(
  front: Front,
  { ref, digest }: UploadId,
  signal: AbortSignal | undefined,
): Promise<void> {
  await retrying(front.retry, signal, async () => {
    const path = uploadPath(ref, digest)
    const response = await front.attempt({ method: 'DELETE', path, accept: [204], signal })
    response.discard()
  })
}

/** @param parts 1 to 100 of them. @returns the requests by part number. */
export async function partRequests(
  front: Front,
  { ref, digest }: UploadId,
  parts: readonly { readonly number: number; readonly sha256: string }[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, Presigned>> {
  const answer = await front.json({
    method: 'POST',
    path: uploadPartsPath(ref, digest),
    ...withJson(front, { parts }),
    accept: [200],
    signal,
  })
  const given: readonly unknown[] = Array.isArray(answer.parts) ? answer.parts : []
  const requests = new Map(
    given.map((part) => {
      const { number, request } = part as { number?: unknown; request?: unknown }
      return [Number(number), readPresigned(request)]
    }),
  )
  if (parts.some(({ number }) => !requests.has(number))) throw unintelligible('no request for every part')
  return requests
}

export type CommitAnswer =
  | { readonly entry: Entry; readonly created: boolean }
  /** The bytes are being verified: look at the upload after this many milliseconds. */
  | { readonly lookAfterMs: number | undefined }
  /** It has failed, by this, and no further commit changes that. */
  | { readonly problem: BucketError }

/** @throws BucketError `upload_incomplete`, `upload_not_found`, `version_exists`, `digest_mismatch`, `unavailable`. */
export async function commitUpload(
  front: Front,
  id: UploadId,
  signal: AbortSignal | undefined,
): Promise<CommitAnswer> {
  const path = commitPath(id.ref, id.digest)
  let isRepeated = false
  return await retrying(front.retry, signal, async () => {
    try {
      const response = await front.attempt({ method: 'POST', path, accept: [200, 201, 202], signal })
      if (response.status === 202) {
        response.discard()
        const seconds = readRetryAfter(response.headers.get('retry-after'))
        return { lookAfterMs: seconds === undefined ? undefined : seconds * 1000 }
      }
      const entry = readEntryOf(id.ref, id.digest, await readJson(response, front.timeouts))
      // A commit whose answer was lost may well have been the one.
      return { entry, created: response.status === 201 || isRepeated }
    } catch (error) {
      isRepeated ||= isRetryable(error)
      if (!isBucketError(error, 'unavailable')) throw error
      // An upload that failed for want of a store answers every commit like a service that is down for a moment. Only
      // its state tells them apart; where that cannot be seen either, the service is down.
      const upload = await lookAtUpload(front, id, signal).catch(() => undefined)
      signal?.throwIfAborted()
      if (upload?.problem === undefined) throw error
      return { problem: upload.problem }
    }
  })
}
