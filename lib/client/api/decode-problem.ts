/**
 * Turns an answer that is a refusal back into the error that the server threw: the same class, code and members on
 * both sides of the wire. Answers of what stands before Bucket (a proxy, a gateway) become what they mean here.
 */
import {
  BucketError,
  type BucketErrorOptions,
  type ErrorCode,
  isErrorCode,
  type ProblemMembers,
} from '../../domain/errors.ts'
import { HEADERS } from '../../protocol/headers.ts'
import { type JsonObject, parseJsonObject, readText } from './decode.ts'
import { NetworkError } from './network-error.ts'
import type { IncomingResponse, Timeouts } from './transport.ts'

/** What a status means when nothing of Bucket's own says more. */
const MEANINGS: { readonly [status: number]: 'unauthorized' | 'forbidden' | 'throttled' | 'unavailable' } = {
  401: 'unauthorized',
  403: 'forbidden',
  429: 'throttled',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
}

const COMMON_MEMBERS = new Set([
  'type',
  'title',
  'status',
  'detail',
  'code',
  'retryable',
  'next',
  'request_id',
])

/**
 * Reads the body of a refusal.
 *
 * @param where the URL that was asked, as it may be shown.
 * @returns the error to throw: `NetworkError` `unexpected_response` when nothing says what the status means.
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
  const told = problemError(problem, options)
  if (told) return told
  const meaning = MEANINGS[status]
  const said = text(problem.detail) ?? text(problem.message)
  const detail = `${where} answered ${status}${said === undefined ? '' : `: ${said}`}`
  return meaning === undefined
    ? new NetworkError('unexpected_response', detail, { status })
    : new BucketError(meaning, detail, {}, options)
}

/** @returns the error that a problem document tells of; nothing when it is none of Bucket's. */
export function problemError(problem: JsonObject, options: BucketErrorOptions = {}): BucketError | undefined {
  const { code } = problem
  if (typeof code !== 'string' || !isErrorCode(code)) return undefined
  const next = text(problem.next)
  const requestId = options.requestId ?? text(problem.request_id)
  return new BucketError(code, text(problem.detail) ?? code, members(problem), {
    ...options,
    ...(next !== undefined && { next }),
    ...(requestId !== undefined && { requestId }),
  })
}

/** The members beside the common ones; their form is the server's promise for the code (docs/http-api.md, section 8). */
function members(problem: JsonObject): ProblemMembers[ErrorCode] {
  const own = Object.entries(problem).filter(([name]) => !COMMON_MEMBERS.has(name))
  return Object.fromEntries(own) as ProblemMembers[ErrorCode]
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
