/** The headers that describe the bytes of an artifact (docs/http-api.md, sections 4 and 5). */
import { formatReprDigest } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { formatRef } from '../domain/identifiers.ts'
import { ARTIFACT_CACHE_CONTROL, contentDisposition, HEADERS } from '../protocol/headers.ts'
import { entityTag } from './entity-tag.ts'
import { joinHeaders } from './join-headers.ts'

export const digestHeaders = ({ digest }: Entry) => ({
  ETag: entityTag(digest),
  [HEADERS.artifactDigest]: digest,
})

export const refHeader = ({ ref }: Entry) => ({ [HEADERS.artifactRef]: formatRef(ref) })

/**
 * When a version was stored, in whole seconds: milliseconds since the epoch. Never later than `now`, also if the clock was set back since
 * (RFC 9110, section 8.8.2.1).
 */
export const lastModified = ({ createdAt }: Entry, now: number): number =>
  Math.floor(Math.min(Date.parse(createdAt), now) / 1000) * 1000

/** Every response about the bytes has these, 304 included. */
export const artifactHeaders = (entry: Entry) =>
  joinHeaders(digestHeaders(entry), refHeader(entry), {
    [HEADERS.reprDigest]: formatReprDigest(entry.digest),
    [HEADERS.artifactSize]: String(entry.size),
    'Accept-Ranges': 'bytes',
    'Last-Modified': new Date(lastModified(entry, Date.now())).toUTCString(),
    'Cache-Control': ARTIFACT_CACHE_CONTROL,
    'Content-Disposition': contentDisposition(entry.ref),
    'Content-Type': entry.contentType,
    'Content-Security-Policy': 'sandbox',
  })
