/**
 * Reads the JSON of the API's answers. A client takes members that it does not know (a newer server may say more), but
 * nothing that it relies on is taken on trust: an answer of another form is `unintelligible`.
 */
import { type Digest, parseDigest } from '#protocol/digest'
import { type Entry, type EntryMessage, entryFromMessage } from '#protocol/entry'
import { artifactRef } from '#protocol/identifiers'
import { NetworkError } from './network-error.ts'
import type { IncomingResponse } from './transport.ts'

/** The largest JSON answer: a page of 1,000 entries has at most about 3 KiB each. */
const MAX_JSON_BYTES = 16 * 1024 * 1024

export type JsonObject = { readonly [member: string]: unknown }

/** What the client uses of the service document (docs/http-api.md, section 2). */
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
export interface Whereabouts {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly digest: Digest
  readonly size: number
}

/** Reads a body of bounded size as text. */
export async function readText(response: IncomingResponse): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > MAX_JSON_BYTES) throw unintelligible('more JSON than any answer of Bucket has')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export async function readJson(response: IncomingResponse): Promise<JsonObject> {
  const value = parseJsonObject(await readText(response))
  if (value === undefined) throw unintelligible('no JSON object')
  return value
}

export function readEntry(value: unknown): Entry {
  if (!isObject(value)) throw unintelligible('no entry')
  const text = (name: string) => {
    const member = value[name]
    if (typeof member !== 'string') throw unintelligible(`an entry without ${name}`)
    return member
  }
  const optional = (name: string) => (value[name] == null ? null : text(name))
  const ref = artifactRef({
    bucketId: text('bucket_id'),
    artifactId: text('artifact_id'),
    version: text('version'),
  })
  const message: EntryMessage = {
    bucket_id: ref.bucketId,
    artifact_id: ref.artifactId,
    version: ref.version,
    digest: readDigest(value.digest),
    size: readBytes(value.size, 'size'),
    content_type: text('content_type'),
    uploaded_by: optional('uploaded_by'),
    provenance_source: optional('provenance_source'),
    created_at: text('created_at'),
  }
  return entryFromMessage(message)
}

export function readPage(value: JsonObject): { entries: Entry[]; nextCursor: string | null } {
  const { versions, next_cursor: cursor } = value
  if (!Array.isArray(versions) || (cursor !== null && typeof cursor !== 'string'))
    throw unintelligible('no page of versions')
  return { entries: versions.map(readEntry), nextCursor: cursor }
}

export function readService(value: JsonObject): Service {
  const { service, api_version: apiVersion, limits } = value
  if (service !== 'bucket' || typeof apiVersion !== 'string' || !isObject(limits))
    throw unintelligible('no service document of Bucket')
  return {
    apiVersion,
    limits: {
      maxArtifactBytes: readBytes(limits.max_artifact_bytes, 'max_artifact_bytes'),
      maxInlineBytes: readBytes(limits.max_inline_bytes, 'max_inline_bytes'),
    },
  }
}

export function readWhereabouts(value: JsonObject): Whereabouts {
  const { url, headers } = value
  if (typeof url !== 'string') throw unintelligible('a download without url')
  return {
    url,
    headers: Object.fromEntries(
      Object.entries(isObject(headers) ? headers : {}).map(([name, text]) => [name, String(text)]),
    ),
    digest: readDigest(value.digest),
    size: readBytes(value.size, 'size'),
  }
}

export function readDigest(value: unknown): Digest {
  const digest = parseDigest(typeof value === 'string' ? value : '')
  if (!digest.ok) throw unintelligible('no digest')
  return digest.value
}

export function readBytes(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw unintelligible(`no number of bytes as ${name}`)
  return value
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const unintelligible = (what: string) =>
  new NetworkError('unintelligible', `the answer is none of Bucket's: it has ${what}`)
