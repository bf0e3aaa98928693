/**
 * Requests that carry their own permission: a path on this server with an expiry, and an HMAC-SHA-256 over everything
 * that is fixed. Only who holds the secret of the folder can make one; a change of method, path or any fixed value breaks it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { digestBase64, digestFromHex, digestHex, HEX_PATTERN } from '#protocol/digest'
import type { Entry } from '#protocol/entry'
import { parseArtifactId, parseBucketId, parseVersion } from '#protocol/identifiers'
import type { BlobId, PresignedRequest } from '#repository/ports'

/** Where the blob endpoint stands. */
export const BLOB_ROOT = '/blobs/'
const hex64 = new RegExp(HEX_PATTERN)

/** What a signature holds fast beside method and path. */
type Fixed = readonly string[]

const blobPath = ({ ref, digest }: BlobId): string =>
  BLOB_ROOT + [ref.bucketId, ref.artifactId, ref.version, digestHex(digest)].map(encodeURIComponent).join('/')

/** @returns the blob that a path names, also where it is encoded otherwise than `blobPath` does it. */
export function parseBlobPath(path: string): BlobId | undefined {
  const segments = path.slice(BLOB_ROOT.length).split('/').map(decodeSegment)
  const [bucket, artifact, version, hex = '', ...rest] = segments
  const bucketId = parseBucketId(bucket ?? '')
  const artifactId = parseArtifactId(artifact ?? '')
  const parsedVersion = parseVersion(version ?? '')
  if (!bucketId.ok || !artifactId.ok || !parsedVersion.ok || !hex64.test(hex) || rest.length > 0)
    return undefined
  return {
    ref: { bucketId: bucketId.value, artifactId: artifactId.value, version: parsedVersion.value },
    digest: digestFromHex(hex),
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return '' // a broken escape names nothing
  }
}

/** JSON keeps the values apart, whatever they contain. */
const sign = (secret: Uint8Array, method: string, blob: BlobId, expires: string, fixed: Fixed): string =>
  createHmac('sha256', secret)
    .update(JSON.stringify([method, blobPath(blob), expires, ...fixed]))
    .digest('base64url')

function presigned(
  secret: Uint8Array,
  method: PresignedRequest['method'],
  blob: BlobId,
  expiresAt: number,
  request: { readonly fixed: Fixed; query: Record<string, string>; headers: PresignedRequest['headers'] },
): PresignedRequest {
  const expires = String(expiresAt)
  const signature = sign(secret, method, blob, expires, request.fixed)
  const query = new URLSearchParams({ ...request.query, expires, signature })
  return {
    method,
    url: `${blobPath(blob)}?${query}`,
    headers: request.headers,
    expiresAt: new Date(expiresAt).toISOString(),
  }
}

/** @param expiresAt milliseconds since the epoch. */
export function presignedGet(secret: Uint8Array, entry: Entry, expiresAt: number): PresignedRequest {
  const query = { content_type: entry.contentType, size: String(entry.size) }
  return presigned(secret, 'GET', entry, expiresAt, { fixed: Object.values(query), query, headers: {} })
}

/** The names are S3's, so that a client sees one kind of request whatever stands behind it. */
const putHeaders = (blob: BlobId, size: string, contentType: string) => ({
  'content-length': size,
  'content-type': contentType,
  'if-none-match': '*',
  'x-amz-checksum-sha256': digestBase64(blob.digest),
})

/** @param expiresAt milliseconds since the epoch. */
export function presignedPut(
  secret: Uint8Array,
  blob: BlobId,
  body: { readonly size: number; readonly contentType: string },
  expiresAt: number,
): PresignedRequest {
  const headers = putHeaders(blob, String(body.size), body.contentType)
  return presigned(secret, 'PUT', blob, expiresAt, { fixed: Object.values(headers), query: {}, headers })
}

/** What a presigned GET promises about the bytes. */
export interface SignedGet {
  readonly contentType: string
  /** Bytes. */
  readonly size: number
}

/** @returns what the request may have, or nothing when it is forged, changed or expired at `now` (milliseconds since the epoch). */
export function verifyGet(
  secret: Uint8Array,
  blob: BlobId,
  query: URLSearchParams,
  now: number,
): SignedGet | undefined {
  const contentType = query.get('content_type') ?? ''
  const size = query.get('size') ?? ''
  const expires = query.get('expires') ?? ''
  const expected = Buffer.from(sign(secret, 'GET', blob, expires, [contentType, size]))
  const given = Buffer.from(query.get('signature') ?? '')
  const genuine = given.byteLength === expected.byteLength && timingSafeEqual(given, expected)
  return genuine && now < Number(expires) ? { contentType, size: Number(size) } : undefined
}
