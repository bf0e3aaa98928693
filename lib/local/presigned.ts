/**
 * Requests that carry their own permission: a path on this server with an expiry, and an HMAC-SHA-256 over everything that is fixed. Only a
 * holder of the folder's secret can make one. Changing the method, the path or a fixed value invalidates it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  base64ToHex,
  digestBase64,
  digestFromHex,
  digestHex,
  HEX_PATTERN,
  hexToBase64,
} from '../domain/digest.ts'
import type { BlobId, Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { parseArtifactId, parseBucketId, parseVersion } from '../domain/identifiers.ts'
import type { PresignedRequest } from '../domain/upload.ts'
import type { HeaderReader } from '../protocol/http-message.ts'
import { verifyingStream } from '../repository/verifying-stream.ts'

/** The paths of the blob endpoint: blobs under their final names, and the parts of uploads. */
export const BLOB_ROOT = '/blobs/'
export const PART_ROOT = '/parts/'
const hex64 = new RegExp(HEX_PATTERN)

/** One part of one attempt of an upload. */
export interface PartId {
  readonly stagingId: string
  /** From 1. */
  readonly number: number
}

const blobPath = ({ ref, digest }: BlobId): string =>
  BLOB_ROOT + [ref.bucketId, ref.artifactId, ref.version, digestHex(digest)].map(encodeURIComponent).join('/')

const partPath = ({ stagingId, number }: PartId): string => `${PART_ROOT}${stagingId}/${number}`

/** @returns the blob that a path names, in any percent-encoding. */
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

/** @returns the part that a path names; staging ids and numbers need no encoding. */
export function parsePartPath(path: string): PartId | undefined {
  const [, stagingId, number] = /^([0-9a-f-]+)\/([1-9]\d{0,5})$/.exec(path.slice(PART_ROOT.length)) ?? []
  return stagingId === undefined ? undefined : { stagingId, number: Number(number) }
}

/** The query parameters of a signature. */
const SIGNATURE = ['expires', 'signature']

type Headers = PresignedRequest['headers']

/** JSON separates the values unambiguously for any content. */
const sign = (
  secret: Uint8Array,
  method: PresignedRequest['method'],
  path: string,
  expires: string,
  fixed: Headers,
): string =>
  createHmac('sha256', secret)
    .update(JSON.stringify([method, path, expires, ...Object.values(fixed)]))
    .digest('base64url')

/** @param expiresAt milliseconds since the epoch, as for all below. */
export function presignedGet(secret: Uint8Array, entry: Entry, expiresAt: number): PresignedRequest {
  const fixed = { content_type: entry.contentType, size: String(entry.size) }
  const expires = String(expiresAt)
  const signature = sign(secret, 'GET', blobPath(entry), expires, fixed)
  const query = new URLSearchParams({ ...fixed, expires, signature })
  return {
    method: 'GET',
    url: `${blobPath(entry)}?${query}`,
    headers: {},
    expiresAt: new Date(expiresAt).toISOString(),
  }
}

/** A PUT has all fixed values in its headers. Their names are S3's, so that a client sees one kind of request everywhere. */
function presignedPut(
  secret: Uint8Array,
  path: string,
  headers: Headers,
  expiresAt: number,
): PresignedRequest {
  const expires = String(expiresAt)
  const query = new URLSearchParams({ expires, signature: sign(secret, 'PUT', path, expires, headers) })
  return { method: 'PUT', url: `${path}?${query}`, headers, expiresAt: new Date(expiresAt).toISOString() }
}

export const presignedBlob = (
  secret: Uint8Array,
  blob: BlobId,
  body: { readonly size: number; readonly contentType: string },
  expiresAt: number,
): PresignedRequest => {
  const headers = blobHeaders(String(body.size), body.contentType, '*', digestBase64(blob.digest))
  return presignedPut(secret, blobPath(blob), headers, expiresAt)
}

export const presignedPart = (
  secret: Uint8Array,
  part: PartId,
  body: { readonly size: number; readonly sha256: string },
  expiresAt: number,
): PresignedRequest =>
  presignedPut(secret, partPath(part), partHeaders(String(body.size), hexToBase64(body.sha256)), expiresAt)

/** Makes the fixed headers of a blob's PUT, or reads them from a request: one order for both. */
const blobHeaders = (size: string, contentType: string, ifNoneMatch: string, checksum: string) => ({
  'content-length': size,
  'content-type': contentType,
  'if-none-match': ifNoneMatch,
  'x-amz-checksum-sha256': checksum,
})

const partHeaders = (size: string, checksum: string) => ({
  'content-length': size,
  'x-amz-checksum-sha256': checksum,
})

/** True if the signature matches exactly these values, the query has no further parameters, and it has not expired. */
function isGenuine(
  secret: Uint8Array,
  method: PresignedRequest['method'],
  path: string,
  query: URLSearchParams,
  fixed: Headers,
  now: number,
): boolean {
  const names = method === 'GET' ? [...Object.keys(fixed), ...SIGNATURE] : SIGNATURE
  if (query.size !== names.length || !names.every((name) => query.has(name))) return false
  const expires = query.get('expires') ?? ''
  const expected = Buffer.from(sign(secret, method, path, expires, fixed))
  const given = Buffer.from(query.get('signature') ?? '')
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected) && now < Number(expires)
}

/** The facts about the bytes that a presigned GET returns. */
export interface SignedGet {
  readonly contentType: string
  /** Bytes. */
  readonly size: number
}

/** The facts about the bytes that a presigned PUT requires. */
export interface SignedPut {
  /** Bytes. */
  readonly size: number
  /** 64 hex digits. */
  readonly sha256: string
}

/** @returns what the request may have, or nothing when it is forged, changed or expired at `now` (milliseconds since the epoch). */
export function verifyGet(
  secret: Uint8Array,
  blob: BlobId,
  query: URLSearchParams,
  now: number,
): SignedGet | undefined {
  const fixed = { content_type: query.get('content_type') ?? '', size: query.get('size') ?? '' }
  if (!isGenuine(secret, 'GET', blobPath(blob), query, fixed, now)) return undefined
  return { contentType: fixed.content_type, size: Number(fixed.size) }
}

/** As `verifyGet`, for the request of a blob. */
export function verifyBlobPut(
  secret: Uint8Array,
  blob: BlobId,
  query: URLSearchParams,
  headers: HeaderReader,
  now: number,
): SignedPut | undefined {
  const given = (name: string) => headers.get(name) ?? ''
  const fixed = blobHeaders(
    given('content-length'),
    given('content-type'),
    given('if-none-match'),
    given('x-amz-checksum-sha256'),
  )
  return isGenuine(secret, 'PUT', blobPath(blob), query, fixed, now) ? signedPut(fixed) : undefined
}

/** As `verifyGet`, for the request of a part. */
export function verifyPartPut(
  secret: Uint8Array,
  part: PartId,
  query: URLSearchParams,
  headers: HeaderReader,
  now: number,
): SignedPut | undefined {
  const fixed = partHeaders(headers.get('content-length') ?? '', headers.get('x-amz-checksum-sha256') ?? '')
  return isGenuine(secret, 'PUT', partPath(part), query, fixed, now) ? signedPut(fixed) : undefined
}

/** The body of a presigned PUT. The stream ends normally only if it has exactly the signed bytes. */
export const signedBytes = (
  body: AsyncIterable<Uint8Array>,
  { size, sha256 }: SignedPut,
): ReturnType<typeof verifyingStream> =>
  verifyingStream(body, {
    digest: digestFromHex(sha256),
    size,
    maxBytes: size,
    tooLarge: () =>
      BucketError.invalidRequest([{ name: 'size', detail: `is ${size} bytes, but more arrived` }]),
  })

const signedPut = (fixed: ReturnType<typeof partHeaders>): SignedPut | undefined => {
  const sha256 = base64ToHex(fixed['x-amz-checksum-sha256'])
  return sha256 === undefined ? undefined : { size: Number(fixed['content-length']), sha256 }
}
