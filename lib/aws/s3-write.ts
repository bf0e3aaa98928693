/**
 * Writes bytes to S3, create-only. Invariant I1: an object gets the final key only after the verified stream ended normally,
 * that is, only if the bytes have their digest. Below the size of one part the bytes are held in memory, sent as one PUT and
 * checked again by S3. Above, parts are sent as they arrive, and the upload is completed after the end of the stream.
 */
import { Readable } from 'node:stream'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { digestBase64, digestHex } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'
import { MIB } from '../domain/limits.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { retry } from '../flow/retry.ts'
import type { Clock, WriteOptions } from '../repository/ports.ts'
import { metadataAt } from './blob-metadata.ts'
import { blobKey, DIGEST_METADATA_KEY } from './blob-object.ts'
import { isNameTaken, isSimultaneous, isUploadGone } from './s3-errors.ts'
import { failed } from './sdk-failure.ts'
import { watchedBytes } from './watched-bytes.ts'

/** A blob of known size below this many bytes is one PUT. S3's parts are at least this large. */
export const ONE_PUT_BYTES = 5 * MIB
/** Concurrent parts of one upload: times the size of a part, this is the memory of a large store. */
const PARTS_AT_ONCE = 4
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MAX_PARTS = 10_000
/** Attempts of one PUT that meets a simultaneous writer of its key, and the longest pause between two, in milliseconds. */
const SIMULTANEOUS_TRIES = 4
const SIMULTANEOUS_PAUSE_MS = 200

export interface ObjectStore {
  readonly client: S3Client
  readonly bucket: string
  readonly clock: Clock
}

const WRITING = 'the blob could not be written'

/** The size of a part for streams of at most `bytes`, in whole MiB: at least 8, and never more than 10,000 parts. */
export const uploadPartSize = (bytes: number): number => Math.max(8, Math.ceil(bytes / MAX_PARTS / MIB)) * MIB

/** What both kinds of write share: create-only, and hashed by S3 too. */
const createOnly = ({ bucket, clock }: ObjectStore, blob: BlobId, { description }: WriteOptions) => ({
  Bucket: bucket,
  Key: blobKey(blob),
  ContentType: description.contentType,
  Metadata: metadataAt(description, clock()),
  ChecksumAlgorithm: 'SHA256' as const,
  IfNoneMatch: '*',
})

/** Writes fewer than `ONE_PUT_BYTES` bytes, of known number. */
export async function putWhole(
  store: ObjectStore,
  blob: BlobId,
  bytes: AsyncIterable<Uint8Array>,
  size: number,
  options: WriteOptions,
): Promise<'written' | 'exists'> {
  // The stream ends normally only after the right bytes, so only verified bytes are sent.
  const { signal } = options
  const body = await collect(abortableIterable(bytes, signal), size)
  const command = new PutObjectCommand({
    ...createOnly(store, blob, options),
    Body: body,
    ContentLength: body.byteLength,
    ChecksumSHA256: digestBase64(blob.digest),
  })
  const attempt = () => store.client.send(command, signal ? { abortSignal: signal } : {})
  const delayAfter = (error: unknown, failures: number) =>
    isSimultaneous(error) && failures < SIMULTANEOUS_TRIES ? Math.random() * SIMULTANEOUS_PAUSE_MS : undefined
  try {
    await retry(attempt, delayAfter, signal)
    return 'written'
  } catch (error) {
    return isNameTaken(error) ? 'exists' : failed(WRITING, signal)(error)
  }
}

/** Holds at most `size` bytes. Reads a longer stream to its end, where it throws. */
async function collect(bytes: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let held = 0
  for await (const chunk of bytes) {
    held += chunk.byteLength
    if (held <= size) chunks.push(chunk)
  }
  if (held !== size) throw new Error(`a verified stream of ${size} bytes ended after ${held}`)
  return Buffer.concat(chunks)
}

/**
 * Writes any number of bytes, known or not, up to `maxBytes`.
 *
 * @param isThere tells whether the final key has an object by now.
 */
export async function uploadStream(
  store: ObjectStore,
  blob: BlobId,
  bytes: AsyncIterable<Uint8Array>,
  maxBytes: number,
  options: WriteOptions,
  isThere: () => Promise<boolean>,
): Promise<'written' | 'exists'> {
  const { size = maxBytes, signal } = options
  const watched = watchedBytes(bytes, signal)
  const shared = createOnly(store, blob, options)
  const upload = new Upload({
    client: store.client,
    // The metadata appear with the object, at Complete, which `Upload` sends only after the end of the stream.
    params: {
      ...shared,
      Metadata: { ...shared.Metadata, [DIGEST_METADATA_KEY]: digestHex(blob.digest) },
      Body: Readable.from(watched),
    },
    partSize: uploadPartSize(size),
    queueSize: PARTS_AT_ONCE,
  })
  try {
    // No AbortController for `Upload`: on abort it would return before its parts are removed.
    await upload.done()
    return 'written'
  } catch (error) {
    // The stream's own error (wrong digest, a sender that disconnected), not the failure of the upload that it caused.
    if (watched.failure) throw watched.failure.error
    if (isNameTaken(error)) return 'exists'
    // The stream cannot be sent again, but the simultaneous writer, or an earlier attempt of this one, may have finished.
    if ((isSimultaneous(error) || isUploadGone(error)) && (await isThere())) return 'exists'
    return failed(WRITING, signal)(error)
  }
}
