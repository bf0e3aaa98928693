/**
 * Reads the JSON of the API's answers. A client takes members that it does not know (a newer server may say more), but
 * nothing that it relies on is taken on trust: an answer of another form is `unexpected_response`.
 */
import { type Digest, parseDigest } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { decodeEntry as decodeEntryMessage } from '../../protocol/decode.ts'
import { NetworkError } from './network-error.ts'
import { type IncomingResponse, jsonMs, type Timeouts } from './transport.ts'

/** The largest JSON answer: a page of 1,000 entries has at most about 3 KiB each. */
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

/** Where the bytes are (docs/http-api.md, section 5). */
export interface DownloadLocation {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly digest: Digest
  readonly size: number
}

/**
 * Reads a body as text, of bounded size and in bounded time.
 *
 * @throws NetworkError `unexpected_response` when it is larger than any answer of Bucket, `stalled` when it comes too slowly;
 * what reading it throws.
 */
export async function readText(response: IncomingResponse, timeouts: Timeouts): Promise<string> {
  const began = performance.now()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > MAX_JSON_BYTES) throw unexpectedResponse('more JSON than any answer of Bucket has')
    // Leaving the loop closes the connection; the transport bounds the wait for the next bytes.
    if (performance.now() - began > jsonMs(timeouts, size))
      throw new NetworkError('stalled', `the answer comes too slowly: ${size} bytes so far`)
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
 * Reads the body of an answer that is to be a JSON object.
 *
 * @throws NetworkError `unexpected_response` when it is not one; what `readText` throws.
 */
export async function readJson(response: IncomingResponse, timeouts: Timeouts): Promise<JsonObject> {
  const value = parseJsonObject(await readText(response, timeouts))
  if (value === undefined) throw unexpectedResponse('no JSON object')
  return value
}

/** @throws NetworkError `unexpected_response` when `value` is not an entry (docs/http-api.md, section 3). */
export function decodeEntry(value: unknown): Entry {
  const entry = decodeEntryMessage(value)
  if (!entry.ok) throw unexpectedResponse(`an invalid entry: ${entry.error}`)
  return entry.value
}

/**
 * Decodes the entry of what was asked for, or sent.
 *
 * @param digest that of the bytes that were sent; undefined where any is right.
 * @throws NetworkError `unexpected_response` when it is the entry of something else, or not an entry.
 */
export const decodeEntryOf = (ref: ArtifactRef, digest: Digest | undefined, value: unknown): Entry =>
  ensureEntryOf(ref, digest, decodeEntry(value))

/** @throws NetworkError `unexpected_response` when there is no entry, or it is that of something else. */
export function ensureEntryOf(ref: ArtifactRef, digest: Digest | undefined, entry: Entry | undefined): Entry {
  if (entry === undefined) throw unexpectedResponse('no valid entry')
  if (formatRef(entry.ref) !== formatRef(ref)) throw aboutAnother(formatRef(ref), formatRef(entry.ref))
  if (digest !== undefined && entry.digest !== digest)
    throw aboutAnother(`${formatRef(ref)}@${digest}`, `${formatRef(entry.ref)}@${entry.digest}`)
  return entry
}

/** @returns what to throw when the answer is Bucket's, but that to another question. */
export const aboutAnother = (asked: string, told: string) =>
  new NetworkError('unexpected_response', `asked for ${asked}, the answer is about ${told}`)

/**
 * Reads a page of a list (docs/http-api.md, section 6).
 *
 * @returns its entries, none in an empty page, and `nextCursor`, null on the last page.
 * @throws NetworkError `unexpected_response` when it is not a page; what `decodeEntry` throws.
 */
export function decodePage(value: JsonObject): { entries: Entry[]; nextCursor: string | null } {
  const { versions, next_cursor: cursor } = value
  if (!Array.isArray(versions) || (cursor !== null && typeof cursor !== 'string'))
    throw unexpectedResponse('no page of versions')
  return { entries: versions.map(decodeEntry), nextCursor: cursor }
}

/** @throws NetworkError `unexpected_response` when it is not a service document (docs/http-api.md, section 2). */
export function decodeService(value: JsonObject): Service {
  const { service, api_version: apiVersion, limits } = value
  if (service !== 'bucket' || typeof apiVersion !== 'string' || !isObject(limits))
    throw unexpectedResponse('no service document of Bucket')
  return {
    apiVersion,
    limits: {
      maxArtifactBytes: decodeByteCount(limits.max_artifact_bytes, 'max_artifact_bytes'),
      maxInlineBytes: decodeByteCount(limits.max_inline_bytes, 'max_inline_bytes'),
    },
  }
}

/**
 * Reads what `download` answers (docs/http-api.md, section 5); the address in it is not looked at.
 *
 * @throws NetworkError `unexpected_response` when url, digest or size is missing.
 */
export function decodeDownloadLocation(value: JsonObject): DownloadLocation {
  const { url, headers } = value
  if (typeof url !== 'string') throw unexpectedResponse('a download without url')
  return {
    url,
    headers: Object.fromEntries(
      Object.entries(isObject(headers) ? headers : {}).map(([name, text]) => [name, String(text)]),
    ),
    digest: decodeDigest(value.digest),
    size: decodeByteCount(value.size, 'size'),
  }
}

/** @throws NetworkError `unexpected_response` when `value` is not written `sha256:` and 64 hex digits. */
export function decodeDigest(value: unknown): Digest {
  const digest = parseDigest(typeof value === 'string' ? value : '')
  if (!digest.ok) throw unexpectedResponse('no digest')
  return digest.value
}

/**
 * @param name what the number is called where it stands, for the message.
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

/** @param what the answer has, or lacks: the end of a sentence, without anything secret. */
export const unexpectedResponse = (what: string) =>
  new NetworkError('unexpected_response', `unexpected response: it has ${what}. Is this a Bucket API?`)
