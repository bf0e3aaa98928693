/** The end of an upload: commit, and wait until the service has read and checked the bytes. */
import type { Entry } from '../../domain/entry.ts'
import { BucketError } from '../../domain/errors.ts'
import { formatRef } from '../../domain/identifiers.ts'
import { sleep } from '../../flow/abort.ts'
import type { ApiClient } from '../api/api-client.ts'
import { TransferPatience } from '../api/retry.ts'
import { commitUpload, type UploadId, uploadState } from '../api/uploads.ts'
import type { OnProgress } from './progress.ts'

/** The upload ended or was reopened, and a restart may help; the cause says why. */
export class RestartUploadError extends Error {
  override readonly name = 'RestartUploadError'
  override readonly cause: BucketError

  constructor(cause: BucketError) {
    super(cause.message)
    this.cause = cause
  }
}

const failure = (problem: BucketError): Error =>
  problem.retryable ? new RestartUploadError(problem) : problem

/** How many times in a row the commit is repeated for a verification without progress. */
const MOST_STALLS = 20

/** A GiB takes a local server about a second: the first looks come sooner than those after them. */
const FIRST_LOOK_MS = 100
/** Each wait is this many times the one before, so a result is seen after about a fifth more time than it took. */
const LATER_LOOKS = 1.25

/**
 * @returns the entry; `created` is false if another client's store of the same bytes made it.
 * @throws BucketError like commit; RestartUploadError.
 */
export async function commitAndWait(
  api: ApiClient,
  id: UploadId,
  size: number,
  onProgress: OnProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<{ entry: Entry; created: boolean }> {
  const { pollMs, verificationIdleMs } = api.timeouts
  let isOurs = false
  let verified = -1
  let stalls = 0

  /** Polls the upload. @returns the entry; undefined if the verification made no progress for too long. */
  async function watch(everyMs: number): Promise<Entry | undefined> {
    let waitMs = FIRST_LOOK_MS
    for (let advancedAt = performance.now(); ; waitMs *= LATER_LOOKS) {
      await sleep(Math.min(waitMs, everyMs), signal)
      const upload = await uploadState(api, id, signal, new TransferPatience(api.retry, { hasMoved: true }))
      if (upload.state === 'committed' && upload.entry) return upload.entry
      if (upload.state === 'failed' && upload.problem) throw failure(upload.problem)
      if (upload.state === 'open')
        throw new RestartUploadError(
          BucketError.unavailable('the upload was opened again while it was verified'),
        )
      if (upload.verifiedBytes !== verified) {
        verified = upload.verifiedBytes
        advancedAt = performance.now()
        stalls = 0
        onProgress?.({ phase: 'verifying', bytes: verified, total: size })
      } else if (performance.now() - advancedAt >= verificationIdleMs) return undefined
    }
  }

  onProgress?.({ phase: 'verifying', bytes: 0, total: size })
  for (; stalls <= MOST_STALLS; stalls++) {
    const response = await commitUpload(api, id, signal)
    if ('problem' in response) throw failure(response.problem)
    if ('entry' in response) return { ...response, created: response.created || isOurs }
    isOurs = true
    const entry = await watch(response.lookAfterMs ?? pollMs)
    if (entry) return { entry, created: true }
  }
  throw BucketError.unavailable(`the verification of ${formatRef(id.ref)} does not advance`)
}
