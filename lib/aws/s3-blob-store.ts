/**
 * Blobs in an S3 bucket. Every write is create-only and checked by SHA-256. Nothing here deletes or replaces, and the roles of
 * the service may not either. A blob under its final key counts only as far as `inspect` vouches for it (invariant I1).
 */
import { Readable } from 'node:stream'
import { GetObjectCommand, HeadBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import type { ByteRange } from '../domain/byte-range.ts'
import { digestBase64, digestHex } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import type { BlobState, BlobStore, Clock } from '../repository/ports.ts'
import { blobKey, DIGEST_METADATA_KEY } from './blob-object.ts'
import { presignsGet, presignsPut } from './s3-blob-requests.ts'
import { hasStatus, isMissing } from './s3-errors.ts'
import type { SignedAccess } from './s3-presign.ts'
import { type ObjectStore, ONE_PUT_BYTES, putWhole, uploadStream } from './s3-write.ts'
import { failed } from './sdk-failure.ts'

export interface S3BlobStoreOptions extends Omit<ObjectStore, 'clock'> {
  /** The largest blob, in bytes. It sizes the parts of a stream of unknown length. */
  readonly maxBytes: number
  /** The client's endpoint, if it is not S3's own. */
  readonly endpoint?: string | undefined
  readonly clock?: Clock
}

export function createS3BlobStore(options: S3BlobStoreOptions): BlobStore {
  const { client, bucket, maxBytes, endpoint, clock = Date.now } = options
  const access: SignedAccess = { bucket, endpoint, clock, signing: client.config }
  const store: ObjectStore = { client, bucket, clock }
  const at = (blob: BlobId) => ({ Bucket: bucket, Key: blobKey(blob) })
  const isThere = async (blob: BlobId) => (await inspect(blob)).found

  return {
    write: (blob, bytes, options) =>
      options.size !== undefined && options.size < ONE_PUT_BYTES
        ? putWhole(store, blob, bytes, options.size, options)
        : uploadStream(store, blob, bytes, maxBytes, options, () => isThere(blob)),
    inspect,
    read,
    presignGet: presignsGet(access),
    presignPut: presignsPut(access),
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
    // The checksum of a multipart upload is a checksum of checksums (COMPOSITE, `…-N`), which says nothing about the digest.
    const isHashedByS3 =
      head.ChecksumType === 'FULL_OBJECT' && head.ChecksumSHA256 === digestBase64(blob.digest)
    const isVouchedFor = head.Metadata?.[DIGEST_METADATA_KEY] === digestHex(blob.digest)
    return { found: true, size: head.ContentLength ?? 0, attested: isHashedByS3 || isVouchedFor }
  }

  async function read(
    blob: BlobId,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>> {
    const fail = failed('the blob could not be read', signal)
    const { Body } = await client
      .send(
        new GetObjectCommand({
          ...at(blob),
          ...(range ? { Range: `bytes=${range.first}-${range.last}` } : {}),
        }),
        signal ? { abortSignal: signal } : {},
      )
      .catch((error) => (isMissing(error) || hasStatus(error, 416) ? lost(blob) : fail(error)))
    if (!(Body instanceof Readable)) throw new Error('the SDK gave no readable stream')
    return translated(abortableIterable(Body, signal), fail)
  }
}

/** The ledger promised the object, so the caller made no mistake. */
function lost(blob: BlobId): never {
  throw BucketError.blobLost(
    `the stored bytes of ${formatRef(blob.ref)} are missing or cut short`,
    `the object ${blobKey(blob)} is missing or too short`,
  )
}

/** A body that breaks off or stalls fails with the same error as a failed request. */
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
