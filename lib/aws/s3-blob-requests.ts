/** Presigned requests for blobs. A URL expires earlier than asked if the credentials that signed it do. */
import type { Description } from '../domain/description.ts'
import { digestBase64 } from '../domain/digest.ts'
import { ARTIFACT_CACHE_CONTROL, contentDisposition } from '../protocol/headers.ts'
import type { BlobStore } from '../repository/ports.ts'
import { encodeMetadata } from './blob-metadata.ts'
import { blobKey } from './blob-object.ts'
import { presign, type SignedAccess } from './s3-presign.ts'
import { failed } from './sdk-failure.ts'

/** S3 takes user metadata of a PUT from these headers. */
const metadataHeaders = (description: Description): Record<string, string> =>
  Object.fromEntries(
    Object.entries(encodeMetadata(description)).map(([name, value]) => [`x-amz-meta-${name}`, value]),
  )

const SIGNING = 'the request could not be signed'

/**
 * @returns the port's `presignGet`. Its URLs are signed for a rounded time, so that a caller gets the same URL for a while and a
 *   browser's cache of the immutable bytes can hit. Each URL is valid for at least three quarters of `seconds`.
 */
export const presignsGet =
  (access: SignedAccess): BlobStore['presignGet'] =>
  async (entry, seconds) => {
    const query = {
      'response-cache-control': ARTIFACT_CACHE_CONTROL,
      'response-content-disposition': contentDisposition(entry.ref),
      'response-content-type': entry.contentType,
      'x-id': 'GetObject',
    }
    const request = { method: 'GET', key: blobKey(entry), query, headers: {} } as const
    const { clock = Date.now } = access
    const step = Math.max(1, Math.floor(seconds / 4)) * 1000
    const rounded = { ...access, clock: () => Math.floor(clock() / step) * step }
    const signed = await presign(rounded, request, seconds).catch(failed(SIGNING))
    return { method: 'GET', headers: {}, ...signed }
  }

/**
 * @returns the port's `presignPut`. S3 checks the signed headers: it refuses other bytes (`BadDigest`), another length, and a
 *   second object under the key.
 */
export const presignsPut =
  (access: SignedAccess): BlobStore['presignPut'] =>
  async (blob, size, description, seconds) => {
    const headers = {
      'content-length': String(size),
      'content-type': description.contentType,
      'if-none-match': '*',
      'x-amz-checksum-sha256': digestBase64(blob.digest),
      ...metadataHeaders(description),
    }
    const request = { method: 'PUT', key: blobKey(blob), query: { 'x-id': 'PutObject' }, headers } as const
    const signed = await presign(access, request, seconds).catch(failed(SIGNING))
    return { method: 'PUT', headers, ...signed }
  }
