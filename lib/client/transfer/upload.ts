/**
 * An upload from beginning to end. It keeps no local state: the same reference and the same bytes find the same upload, from any process on
 * any host, and only missing bytes are sent.
 */
import { descriptionOf } from '../../domain/description.ts'
import { digestFromHex } from '../../domain/digest.ts'
import { BucketError } from '../../domain/errors.ts'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { sleep } from '../../flow/abort.ts'
import type { ApiClient } from '../api/api-client.ts'
import { unexpectedResponse } from '../api/decode.ts'
import { backoffDelay } from '../api/retry.ts'
import type { BegunUpload } from '../api/uploads.ts'
import { beginUpload } from '../api/uploads.ts'
import { type ArtifactDigests, hashSource } from './artifact-hash.ts'
import { deliver } from './presigned-put.ts'
import type { PutOptions, PutResult } from './put-options.ts'
import { sendParts } from './send-parts.ts'
import type { Source } from './source.ts'
import { commitAndWait, RestartUploadError } from './wait-for-commit.ts'

/**
 * @throws BucketError `version_exists`, even if the same bytes are stored; `upload_conflict` if an upload of this digest has another size;
 * `artifact_too_large`, …; SourceChangedError; NetworkError.
 */
export async function upload(
  api: ApiClient,
  ref: ArtifactRef,
  source: Source,
  digests: ArtifactDigests,
  options: PutOptions,
): Promise<Omit<PutResult, 'restored'>> {
  const { onProgress, signal } = options
  const id = { ref, digest: digestFromHex(digests.sha256) }
  const { size } = source
  const terms = { size, description: descriptionOf(options) }
  const begin = () => beginUpload(api, id, terms, signal)
  for (let round = 1; ; round++) {
    const begun = await begin()
    try {
      if (begun.size !== size) throw unexpectedResponse(`an upload of ${begun.size} bytes instead of ${size}`)
      if (begun.state === 'open') {
        if (begun.mode === 'single') await sendWhole(api, begun, begin, source, digests, onProgress, signal)
        else {
          const sha256s = await partSha256s(api, source, digests, signal)
          await sendParts(api, begun, source, sha256s, onProgress, signal)
        }
      }
      const result = await commitAndWait(api, id, size, onProgress, signal)
      onProgress?.({ phase: 'committed', bytes: size, total: size })
      return result
    } catch (error) {
      if (!isWorthRestarting(error)) throw error
      if (round >= api.retry.attempts) throw error instanceof RestartUploadError ? error.cause : error
      await sleep(backoffDelay(api.retry, round, Math.random()), signal)
    }
  }
}

/** The upload has changed meanwhile: aborted, expired, reopened by another commit, or failed because of its stores. */
const isWorthRestarting = (error: unknown): boolean =>
  error instanceof RestartUploadError ||
  (error instanceof BucketError &&
    ['upload_not_found', 'upload_incomplete', 'upload_conflict'].includes(error.code))

async function sendWhole(
  api: ApiClient,
  begun: BegunUpload,
  begin: () => Promise<BegunUpload>,
  source: Source,
  { sha256 }: ArtifactDigests,
  onProgress: PutOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { size } = source
  const report = (bytes: number, sent: number) =>
    onProgress?.({ phase: 'uploading', bytes, total: size, sent })
  const delivery = {
    body: source,
    sha256,
    async request(isFresh: boolean) {
      const { received, request } = isFresh ? await begin() : begun
      return received === true ? undefined : request
    },
    onSent: (sent: number) => report(0, sent),
  }
  report(0, 0)
  await deliver(api, delivery, signal)
  report(size, size)
}

/** The service may choose parts although only the whole was hashed. */
async function partSha256s(
  { platform }: ApiClient,
  source: Source,
  { partSha256s: known, sha256 }: ArtifactDigests,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  if (known) return known
  const hashed = await hashSource({ ...source, sha256 }, platform.sha256, { signal }, true)
  return hashed.partSha256s ?? []
}
