/**
 * Recognizes requests that the hot path takes: a path in its plainest form, no query, and no header that changes the response or its
 * meaning. Any other request is not plain, and may still be valid.
 */
import type { IncomingMessage } from 'node:http'
import {
  DESCRIPTION,
  DESCRIPTION_MEMBERS,
  type Description,
  describeWith,
  parseText,
} from '../../domain/description.ts'
import { type Digest, parseDigest } from '../../domain/digest.ts'
import {
  type ArtifactId,
  type ArtifactRef,
  type BucketId,
  IDENTIFIER_PATTERN,
  type Version,
} from '../../domain/identifiers.ts'
import { DESCRIPTION_WIRE } from '../../protocol/description.ts'
import { HEADERS } from '../../protocol/headers.ts'
import { API_ROOT, ROUTES } from '../../protocol/routes.ts'
import { isFormType } from '../request-reader.ts'
import { MAX_HEADER_BYTES } from './incoming.ts'

const identifier = `(${IDENTIFIER_PATTERN.slice(1, -1)})`
const PLAIN_PATH = new RegExp(`^${API_ROOT}${ROUTES.fetch.path.replace(/\{\w+\}/g, identifier)}$`)

/** @returns the version that a target without escapes and query names. */
export function plainRef(target: string): ArtifactRef | undefined {
  const match = PLAIN_PATH.exec(target)
  // The pattern is that of the identifiers.
  return match === null
    ? undefined
    : {
        bucketId: match[1] as BucketId,
        artifactId: match[2] as ArtifactId,
        version: match[3] as Version,
      }
}

/** No response depends on these. Node handles `Connection`; those of proxies and browsers have no meaning here. */
const IGNORED = [
  'Host',
  'Connection',
  'User-Agent',
  'Accept',
  'Accept-Encoding',
  'Accept-Language',
  'Authorization',
  'Sec-Fetch-Mode',
  'Traceparent',
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'X-Real-IP',
]
const OF_A_STORE = [
  'Content-Length',
  HEADERS.artifactDigest,
  ...DESCRIPTION_MEMBERS.map((member) => DESCRIPTION_WIRE[member].header),
]

/** A bit for each header, by its name in the usual spellings. */
function bitsOf(names: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    names.flatMap((name, at) => [[name, 1 << at] as const, [name.toLowerCase(), 1 << at] as const]),
  )
}
const FETCH_BITS = bitsOf(IGNORED)
const STORE_BITS = bitsOf([...IGNORED, ...OF_A_STORE])

/** Whether each header is one of `bits`, at most once, and all are within the limit; and the `Host` is one of this server. */
function hasPlainHeaders(
  { rawHeaders, headers, httpVersion }: IncomingMessage,
  bits: ReadonlyMap<string, number>,
  hosts: ReadonlySet<string>,
): boolean {
  let seen = 0
  let bytes = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    const bit = bits.get(name)
    if (bit === undefined || (seen & bit) !== 0) return false
    seen |= bit
    bytes += name.length + (rawHeaders[at + 1] ?? '').length + 4
  }
  return bytes <= MAX_HEADER_BYTES && httpVersion === '1.1' && hosts.has(headers.host ?? '')
}

/** @param hosts the accepted values of `Host`, in lower case. */
export const isPlainFetch = (incoming: IncomingMessage, hosts: ReadonlySet<string>): boolean =>
  hasPlainHeaders(incoming, FETCH_BITS, hosts)

export interface PlainStore {
  readonly digest: Digest
  readonly description: Description
  /** Bytes. */
  readonly size: number
}

/** @returns the declarations of a plain store of at most `maxBytes`. */
export function plainStore(
  incoming: IncomingMessage,
  hosts: ReadonlySet<string>,
  maxBytes: number,
): PlainStore | undefined {
  if (!hasPlainHeaders(incoming, STORE_BITS, hosts)) return undefined
  const { headers } = incoming
  const size = Number(headers['content-length'])
  if (!(size <= maxBytes)) return undefined
  const digest = parseDigest(textOf(headers[HEADERS.artifactDigest.toLowerCase()]) ?? '')
  if (!digest.ok) return undefined
  let isPlain = true
  const description = describeWith((member) => {
    const text = textOf(headers[WIRE_NAMES[member]])
    if (text === undefined) return undefined
    isPlain &&= parseText(text, DESCRIPTION[member].maxLength).ok && !isFormType(text)
    return text
  })
  return isPlain ? { digest: digest.value, description, size } : undefined
}

const textOf = (value: string | string[] | undefined) => (typeof value === 'string' ? value : undefined)

/** The headers of a description, in lower case. */
const WIRE_NAMES = Object.fromEntries(
  DESCRIPTION_MEMBERS.map((member) => [member, DESCRIPTION_WIRE[member].header.toLowerCase()]),
) as { readonly [M in keyof Description]: string }
