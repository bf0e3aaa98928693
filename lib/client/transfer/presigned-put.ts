/**
 * Brings bytes into the store with the requests that the server hands out. The meaning of the store's answers is in
 * docs/http-api.md, section 7.1; its words are its own and are not read.
 */

import { digestFromHex } from '../../domain/digest.ts'
import { BucketError } from '../../domain/errors.ts'
import { sleep } from '../../flow/abort.ts'
import { ERROR_STATUS } from '../../protocol/errors.ts'
import type { ApiClient, Presigned } from '../api/api-client.ts'
import { readRetryAfter } from '../api/decode-problem.ts'
import { NetworkError } from '../api/network-error.ts'
import { backoffDelay, retryDelay } from '../api/retry.ts'
import type { IncomingResponse } from '../api/transport.ts'
import { type Source, SourceChangedError } from './source.ts'

export interface Delivery {
  readonly body: Source
  /** Of the body, 64 hex digits. */
  readonly sha256: string
  /**
   * The request to send.
   *
   * @param isFresh whether the one before was refused, so that another is needed.
   * @returns nothing when the bytes need not be sent any more.
   */
  request(isFresh: boolean): Promise<Presigned | undefined>
  onSent?(bytes: number): void
  /** The store, or the way to it, is too busy: it will be tried again. */
  onBusy?(): void
}

/** Fresh requests for the same bytes before it counts as a refusal of another kind. */
const MOST_FRESH = 3

/**
 * Sends until the store has the bytes.
 *
 * @throws SourceChangedError when they are no longer what they were; BucketError `upload_not_found` when the store awaits
 * no bytes, `forbidden` or `digest_mismatch` when it keeps refusing, `insufficient_storage`; what the last attempt threw.
 */
export async function deliver(
  api: ApiClient,
  { body, sha256, request, onSent, onBusy }: Delivery,
  signal: AbortSignal | undefined,
): Promise<void> {
  // A break in a transfer of hours must not end it: twice the patience of a single request.
  const policy = { ...api.retry, attempts: api.retry.attempts * 2 }
  let failures = 0
  let refusals = 0
  let current = await request(false)
  while (current !== undefined) {
    const answer = await send(current).catch((error) => {
      if (retryDelay(policy, failures + 1, error, 0) === undefined) throw error
      return error
    })
    if (answer === 'stored') return
    if (answer === 'expired' || answer === 'refused') {
      if (answer === 'refused') await assureUnchanged(api, body, sha256, signal)
      refusals += 1
      if (refusals > MOST_FRESH) throw answer === 'expired' ? forbidden() : damaged(body, sha256)
      if (refusals > 1) await sleep(backoffDelay(policy, refusals, Math.random()), signal)
      current = await request(true)
    } else {
      failures += 1
      onBusy?.()
      await sleep(retryDelay(policy, failures, answer, Math.random()) ?? 0, signal)
    }
  }

  async function send(presigned: Presigned): Promise<'stored' | 'expired' | 'refused'> {
    checkLength(presigned, body)
    const response = await api.sendPresigned(presigned, body, onSent, signal)
    response.discard()
    return judge(response)
  }
}

const forbidden = () =>
  new BucketError(
    'forbidden',
    'the store refuses the requests that the server signs',
    {},
    {
      next: 'Check the clocks of the server and of its store; if they are right, tell the operator of this deployment.',
    },
  )

/** @throws BucketError for what sending again may or may not mend, by its own `retryable`. */
function judge({ status, headers }: IncomingResponse): 'stored' | 'expired' | 'refused' {
  if ((status >= 200 && status < 300) || status === 412) return 'stored'
  if (status === 403) return 'expired'
  if (status === 400) return 'refused'
  if (status === 404)
    throw new BucketError(
      'upload_not_found',
      'the store does not await these bytes any more',
      {},
      { next: 'Store again: that begins a new upload.' },
    )
  if (status === ERROR_STATUS.insufficient_storage)
    throw new BucketError(
      'insufficient_storage',
      'the store has no room for these bytes',
      {},
      { next: 'Have space freed on the disk of the store, then store again.' },
    )
  if (status === 408 || status === 409 || status === 429 || status >= 500)
    throw BucketError.unavailable(
      `the store answered ${status}`,
      undefined,
      readRetryAfter(headers.get('retry-after')) ?? 0,
    )
  throw new NetworkError('unexpected_response', `the store answered ${status}`, { status })
}

/** A request for another length would be refused after all bytes were sent, or never be answered. */
function checkLength({ headers }: Presigned, { size }: Source): void {
  for (const [name, value] of Object.entries(headers))
    if (name.toLowerCase() === 'content-length' && Number(value) !== size)
      throw new NetworkError('unexpected_response', `the server wants ${value} bytes where there are ${size}`)
}

/** The store says that these are not the bytes: either they have changed here, or they were damaged on the way. */
async function assureUnchanged(
  { platform }: ApiClient,
  body: Source,
  sha256: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hash = platform.sha256()
  for await (const chunk of body.open()) {
    signal?.throwIfAborted()
    hash.update(chunk)
  }
  if (hash.hex() !== sha256) throw new SourceChangedError('the bytes changed after they were hashed')
}

const damaged = ({ size }: Source, sha256: string) =>
  new BucketError(
    'digest_mismatch',
    `the store finds other bytes than those that were sent (SHA-256 ${sha256})`,
    { declaredDigest: digestFromHex(sha256), size },
    { next: 'Something between here and the store changes bytes: try another network, and look at proxies.' },
  )
