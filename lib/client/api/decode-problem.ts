/**
 * Decodes a refusal into the error that the server threw: the same class, code and members on both sides of the wire. Refusals of a proxy
 * or gateway in front of Bucket are mapped by their status.
 */
import { BucketError } from '../../domain/errors.ts'
import { decodeProblem as problemError } from '../../protocol/decode.ts'
import { HEADERS } from '../../protocol/headers.ts'
import { parseJsonObject, readText } from './decode.ts'
import { NetworkError } from './network-error.ts'
import type { IncomingResponse, Timeouts } from './transport.ts'

/** The meaning of a status without a problem document of Bucket. */
const MEANINGS: { readonly [status: number]: 'unauthorized' | 'forbidden' | 'throttled' | 'unavailable' } = {
  401: 'unauthorized',
  403: 'forbidden',
  429: 'throttled',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
}

/**
 * Reads the body of a refusal.
 *
 * @param where the requested URL, in a form that may be shown.
 * @returns the error to throw: `NetworkError` `unexpected_response` if the status has no known meaning.
 */
export async function decodeProblem(
  response: IncomingResponse,
  where: string,
  timeouts: Timeouts,
): Promise<BucketError | NetworkError> {
  const { status, headers } = response
  const location = headers.get('location')
  if (status >= 300 && status < 400) {
    response.discard()
    return new NetworkError(
      'unexpected_response',
      `${where} answered ${status} and points elsewhere${location === null ? '' : `: ${withoutQuery(location)}`}`,
      { status, next: 'Use the address that it points to, if that is the API you mean.' },
    )
  }
  const problem = parseJsonObject(await readText(response, timeouts)) ?? {}
  const retryAfter = readRetryAfter(headers.get('retry-after'))
  const requestId = text(problem.request_id) ?? headers.get(HEADERS.requestId) ?? undefined
  const options = {
    ...(retryAfter !== undefined && { retryAfter }),
    ...(requestId !== undefined && { requestId }),
  }
  const described = problemError(problem, options)
  if (described) return described
  const meaning = MEANINGS[status]
  const reason = text(problem.detail) ?? text(problem.message)
  const detail = `${where} answered ${status}${reason === undefined ? '' : `: ${reason}`}`
  return meaning === undefined
    ? new NetworkError('unexpected_response', detail, { status })
    : new BucketError(meaning, detail, {}, options)
}

/** Seconds, from either form of the field (RFC 9110, section 10.2.3). */
export function readRetryAfter(field: string | null): number | undefined {
  if (field === null) return undefined
  const seconds = /^\d+$/.test(field) ? Number(field) : (Date.parse(field) - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

const withoutQuery = (location: string): string => location.replace(/\?.*$/s, '')
