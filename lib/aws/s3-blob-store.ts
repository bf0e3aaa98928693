/**
 * Blobs in an S3 bucket. Every write is create-only and checked by SHA-256; nothing here deletes or replaces, and neither
 * may the roles that it runs with. A blob under its final key counts only as far as `inspect` can say (invariant I1).
 */
import { Readable } from 'node:stream'
import { GetObjectCommand, HeadBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import type { ByteRange } from '../domain/byte-range.ts'
import { digestBase64, digestHex } from '../domain/digest.ts'
import type { BlobId, BlobState, BlobStore, Clock, PresignedRequest } from '../repository/ports.ts'
import { blobKey, MARK } from './blob-object.ts'
import { failed, isMissing } from './s3-errors.ts'
import { createLinks } from './s3-links.ts'
import { presign, type SignedAccess } from './s3-presign.ts'
import { type ObjectStore, ONE_PUT_BYTES, putWhole, uploadStream } from './s3-write.ts'
import { watchedBytes } from './watched-bytes.ts'

export interface S3BlobStoreOptions extends ObjectStore {
  /** The most that a blob may have; sizes the parts of a stream whose length is not known. */
  readonly maxBytes: number
  /** An endpoint that stands in for S3, as the client has it. */
  readonly endpoint?: string | undefined
  readonly clock?: Clock
}

export function createS3BlobStore(options: S3BlobStoreOptions): BlobStore {
  const { client, bucket, maxBytes, endpoint, clock = Date.now } = options
  const { region, credentials } = client.config
  const access: SignedAccess = { bucket, endpoint, clock, signing: { region, credentials } }
  const at = (blob: BlobId) => ({ Bucket: bucket, Key: blobKey(blob) })
  const isThere = async (blob: BlobId) => (await inspect(blob)).found

  return {
    write: (blob, bytes, options) =>
      options.size !== undefined && options.size < ONE_PUT_BYTES
        ? putWhole({ client, bucket }, blob, bytes, options.size, options)
        : uploadStream({ client, bucket }, blob, bytes, maxBytes, options, () => isThere(blob)),
    inspect,
    read,
    presignGet: createLinks(access),
    presignPut,
    check: async () => {
      await client
        .send(new HeadBucketCommand({ Bucket: bucket }))
        .catch(failed('the blob store does not answer'))
    },
  }

  async function inspect(blob: BlobId): Promise<BlobState> {
    const head = await client
      .send(new HeadObjectCommand({ ...at(blob), ChecksumMode: 'ENABLED' }))
      .catch((error) => (isMissing(error) ? undefined : failed('the blob could not be inspected')(error)))
    if (!head) return { found: false }
    // A multipart upload has a checksum of checksums (COMPOSITE, `…-N`): it says nothing about the digest.
    const isHashedByS3 =
      head.ChecksumType === 'FULL_OBJECT' && head.ChecksumSHA256 === digestBase64(blob.digest)
    const isMarked = head.Metadata?.[MARK] === digestHex(blob.digest)
    return { found: true, size: head.ContentLength ?? 0, attested: isHashedByS3 || isMarked }
  }

  async function read(
    blob: BlobId,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>> {
    // A missing object fails like every other: the ledger promised it, so it is not the caller who erred.
    const fail = failed('the blob could not be read', signal)
    const { Body } = await client
      .send(
        new GetObjectCommand({
          ...at(blob),
          ...(range ? { Range: `bytes=${range.first}-${range.last}` } : {}),
        }),
        signal ? { abortSignal: signal } : {},
      )
      .catch(fail)
    if (!(Body instanceof Readable)) throw new Error('the SDK gave no readable stream')
    return translated(watchedBytes(Body, signal), fail)
  }

  /** What binds the sender is in the signed headers: S3 refuses other bytes (`BadDigest`), another length, and a second object. */
  async function presignPut(
    blob: BlobId,
    size: number,
    contentType: string,
    seconds: number,
  ): Promise<PresignedRequest> {
    const headers = {
      'content-length': String(size),
      'content-type': contentType,
      'if-none-match': '*',
      'x-amz-checksum-sha256': digestBase64(blob.digest),
    }
    const request = { method: 'PUT', key: blobKey(blob), query: { 'x-id': 'PutObject' }, headers } as const
    const signed = await presign(access, request, seconds).catch(failed('the request could not be signed'))
    return { method: 'PUT', headers, ...signed }
  }
}

/** A body that breaks off or falls silent fails as its opening would have. */
async function* translated(
  body: AsyncIterable<Uint8Array>,
  fail: (error: unknown) => never,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    fail(error)
  }
}
