/**
 * Decodes the JSON responses of the API. A client accepts unknown members, because a newer server may send more, but it checks everything
 * that it relies on: a response of another form is `unexpected_response`.
 */
import { type Digest, parseDigest } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { type ArtifactRef, formatPinnedRef, formatRef } from '../../domain/identifiers.ts'
import type { Result } from '../../domain/result.ts'
import { decodeEntry, decodeService } from '../../protocol/decode.ts'
import { NetworkError } from './network-error.ts'
import { type IncomingResponse, jsonMs, type Timeouts } from './transport.ts'

/** The largest JSON response: a page of 1,000 entries has at most about 3 KiB each. */
const MAX_JSON_BYTES = 16 * 1024 * 1024

export type JsonObject = { readonly [member: string]: unknown }

/** The part of the service document that the client uses (docs/http-api.md, section 2). */
export interface Service {
  readonly apiVersion: string
  readonly limits: {
    /** Bytes. */
    readonly maxArtifactBytes: number
    /** Bytes of one request body. */
    readonly maxInlineBytes: number
  }
}

/**
 * Reads a body as text, of bounded size and in bounded time.
 *
 * @throws NetworkError `unexpected_response` if it is larger than any response of Bucket, `stalled` if it arrives too slowly; errors of
 * reading it.
 */
export async function readText(response: IncomingResponse, timeouts: Timeouts): Promise<string> {
  const began = performance.now()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > MAX_JSON_BYTES) throw unexpectedResponse('more JSON than any response of Bucket has')
    // Leaving the loop closes the connection; the transport bounds the wait for the next bytes.
    if (performance.now() - began > jsonMs(timeouts, size))
      throw new NetworkError('stalled', `the response comes too slowly: ${size} bytes so far`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** @returns undefined unless `text` is a JSON object. */
export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Reads the body of a response as a JSON object.
 *
 * @throws NetworkError `unexpected_response` if it is not one; errors of `readText`.
 */
export async function readJson(response: IncomingResponse, timeouts: Timeouts): Promise<JsonObject> {
  const value = parseJsonObject(await readText(response, timeouts))
  if (value === undefined) throw unexpectedResponse('no JSON object')
  return value
}

/**
 * @param what the message is, for the error.
 * @throws NetworkError `unexpected_response` if the message is invalid.
 */
export function decoded<T>(result: Result<T>, what: string): T {
  if (result.ok) return result.value
  throw unexpectedResponse(`an invalid ${what}: ${result.error}`)
}

/**
 * Decodes the entry of the version that was requested or sent.
 *
 * @param digest that of the bytes that were sent; undefined where any is right.
 * @throws NetworkError `unexpected_response` when it is the entry of something else, or not an entry.
 */
export const decodeEntryOf = (ref: ArtifactRef, digest: Digest | undefined, value: unknown): Entry =>
  ensureEntryOf(ref, digest, decoded(decodeEntry(value), 'entry'))

/** @throws NetworkError `unexpected_response` if there is no entry, or it describes another version. */
export function ensureEntryOf(ref: ArtifactRef, digest: Digest | undefined, entry: Entry | undefined): Entry {
  if (entry === undefined) throw unexpectedResponse('no valid entry')
  if (formatRef(entry.ref) !== formatRef(ref)) throw aboutAnother(formatRef(ref), formatRef(entry.ref))
  if (digest !== undefined && entry.digest !== digest)
    throw aboutAnother(formatPinnedRef({ ref, digest }), formatPinnedRef(entry))
  return entry
}

/** @returns the error for a valid response that is about something else. */
export const aboutAnother = (requested: string, received: string) =>
  new NetworkError(
    'unexpected_response',
    `the request was for ${requested}, but the response is about ${received}`,
  )

/** @throws NetworkError `unexpected_response` when it is not a service document (docs/http-api.md, section 2). */
export const serviceOf = (value: JsonObject): Service => ({
  apiVersion: 'v1',
  limits: decoded(decodeService(value), 'service document'),
})

/** @throws NetworkError `unexpected_response` when `value` is not written `sha256:` and 64 hex digits. */
export function decodeDigest(value: unknown): Digest {
  const digest = parseDigest(typeof value === 'string' ? value : '')
  if (!digest.ok) throw unexpectedResponse('no digest')
  return digest.value
}

/**
 * @param name of the number, for the message.
 * @throws NetworkError `unexpected_response` unless `value` is a safe integer of 0 or more.
 */
export function decodeByteCount(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw unexpectedResponse(`no number of bytes as ${name}`)
  return value
}

/** Whether `value` came from a JSON object: no array, not null. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @param what the end of a sentence that says what the response has or lacks, without secrets. */
export const unexpectedResponse = (what: string) =>
  new NetworkError('unexpected_response', `unexpected response: it has ${what}. Is this a Bucket API?`)
