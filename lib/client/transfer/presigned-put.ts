/**
 * Sends bytes to the store with presigned requests. docs/http-api.md, section 7.1, defines the meaning of the store's statuses; its texts
 * are not interpreted.
 */

import { digestFromHex } from '../../domain/digest.ts'
import { BucketError } from '../../domain/errors.ts'
import { sleep } from '../../flow/abort.ts'
import { ERROR_STATUS } from '../../protocol/errors.ts'
import type { ApiClient, Presigned } from '../api/api-client.ts'
import { readRetryAfter } from '../api/decode-problem.ts'
import { NetworkError } from '../api/network-error.ts'
import { backoffDelay, isRetryable, retrying, TransferPatience } from '../api/retry.ts'
import type { IncomingResponse } from '../api/transport.ts'
import { type Source, SourceChangedError } from './source.ts'

export interface PresignedPut {
  readonly body: Source
  /** Of the body, 64 hex digits. */
  readonly sha256: string
  /**
   * The request to send.
   *
   * @param isFresh whether the previous one was refused, so that a new one is needed.
   * @returns undefined if the bytes need not be sent any more.
   */
  request(isFresh: boolean): Promise<Presigned | undefined>
  onSent?(bytes: number): void
  /** The store or the network is overloaded; the request will be retried. */
  onBusy?(): void
}

/** New requests for the same bytes before a refusal counts as final. */
const MOST_FRESH = 3

/**
 * Sends until the store has the bytes.
 *
 * @throws SourceChangedError if they have changed; BucketError `upload_not_found` if the store expects no bytes, `forbidden` or
 * `digest_mismatch` if it keeps refusing, `insufficient_storage`; the error of the last attempt.
 */
export async function deliver(
  api: ApiClient,
  { body, sha256, request, onSent, onBusy }: PresignedPut,
  signal: AbortSignal | undefined,
): Promise<void> {
  // The server has just handed out the request, so an outage of minutes must not end the transfer.
  const patience = new TransferPatience(api.retry, { hasMoved: true })
  let refusals = 0
  let furthest = 0
  const send = (presigned: Presigned) => {
    const reporting = async () => {
      try {
        return await attempt(presigned)
      } catch (error) {
        if (isRetryable(error)) onBusy?.()
        throw error
      }
    }
    return retrying(api, signal, reporting, patience)
  }
  for (let current = await request(false); current !== undefined; current = await request(true)) {
    const outcome = await send(current)
    if (outcome === 'stored') return
    if (outcome === 'refused') await assertUnchanged(api, body, sha256, signal)
    refusals += 1
    if (refusals > MOST_FRESH) throw outcome === 'expired' ? forbidden() : damaged(body, sha256)
    if (refusals > 1) await sleep(backoffDelay(api.retry, refusals, Math.random()), signal)
  }

  async function attempt(presigned: Presigned): Promise<'stored' | 'expired' | 'refused'> {
    checkLength(presigned, body)
    const counted = (bytes: number) => {
      if (bytes > furthest) {
        furthest = bytes
        patience.progressed()
      }
      onSent?.(bytes)
    }
    const response = await api.sendPresigned(presigned, body, counted, signal)
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

/** @throws BucketError whose `retryable` says whether sending again may help. */
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
      'the disk of the store is full',
      {},
      { next: 'Have space freed on the disk of the store, then store again.' },
    )
  if (status === 408 || status === 409 || status === 429 || status >= 500)
    throw BucketError.unavailable(
      status === 409 ? 'another sender is sending the same bytes' : `the store answered ${status}`,
      undefined,
      readRetryAfter(headers.get('retry-after')) ?? 0,
    )
  throw new NetworkError('unexpected_response', `the store answered ${status}`, { status })
}

/** A request for another length would be refused after all bytes were sent, or hang. */
function checkLength({ headers }: Presigned, { size }: Source): void {
  for (const [name, value] of Object.entries(headers))
    if (name.toLowerCase() === 'content-length' && Number(value) !== size)
      throw new NetworkError('unexpected_response', `the server wants ${value} bytes where there are ${size}`)
}

/** The store received other bytes: they changed here, or were damaged in transit. */
async function assertUnchanged(
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
