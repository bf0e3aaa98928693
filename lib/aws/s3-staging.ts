/**
 * The staging area: an S3 bucket of its own, in which everything expires. Clients send parts straight to it, and S3 checks each
 * against the SHA-256 and the length in the signed headers of its request. The bytes that are read and the bytes that are promoted
 * are one version of one object.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { hexToBase64 } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'
import type { PresignedRequest, ReceivedPart, UploadId } from '../domain/upload.ts'
import type { BlobStore, Clock, HealthCheck } from '../repository/ports.ts'
import type { StagedBytes, StagedUpload, Staging } from '../repository/upload-ports.ts'
import { isMissing, isRefusedComplete, isUploadGone } from './s3-errors.ts'
import { listParts } from './s3-parts.ts'
import { presign, type SignedAccess } from './s3-presign.ts'
import { startPromotion } from './s3-promotion.ts'
import { readRanges } from './s3-ranges.ts'
import { failed } from './sdk-failure.ts'
import { multipartId, stagingKey } from './staged-object.ts'
import { receivedPart } from './stored-part.ts'

export interface S3StagingOptions {
  readonly client: S3Client
  /** The S3 bucket for parts, in the region of the bucket for blobs, so that copies stay inside S3. */
  readonly bucket: string
  /** The S3 bucket for blobs. */
  readonly blobBucket: string
  readonly blobs: Pick<BlobStore, 'inspect'>
  /** The client's `StagingLimits.completeMs`. */
  readonly completeMs: number
  /** The client's endpoint, if it is not S3's own. */
  readonly endpoint?: string | undefined
  readonly clock?: Clock
}

export function createS3Staging(options: S3StagingOptions): Staging & HealthCheck {
  const { client, bucket, blobBucket, blobs, completeMs, endpoint, clock = Date.now } = options
  const access: SignedAccess = { bucket, endpoint, clock, signing: client.config }
  /** The ETags of listed parts, by the objects that the rules pass back: S3 wants each part named by its ETag. */
  const etags = new WeakMap<ReceivedPart, string>()
  const at = (upload: StagedUpload) => ({ Bucket: bucket, Key: stagingKey(upload.id, upload.attempt) })

  return {
    begin,
    presignPart,
    parts,
    complete,
    open,
    drop,
    check: async () => {
      await client
        .send(new HeadBucketCommand({ Bucket: bucket }))
        .catch(failed('the staging area does not answer'))
    },
  }

  async function begin(id: UploadId, attempt: string): Promise<string> {
    const { UploadId } = await client
      .send(
        new CreateMultipartUploadCommand({
          Bucket: bucket,
          Key: stagingKey(id, attempt),
          ChecksumAlgorithm: 'SHA256',
        }),
      )
      .catch(failed('the upload could not be started'))
    if (UploadId === undefined) throw new Error('S3 named no multipart upload')
    return UploadId
  }

  async function presignPart(
    upload: StagedUpload,
    number: number,
    size: number,
    sha256: string,
    seconds: number,
  ): Promise<PresignedRequest> {
    const headers = { 'content-length': String(size), 'x-amz-checksum-sha256': hexToBase64(sha256) }
    const key = stagingKey(upload.id, upload.attempt)
    const query = { partNumber: String(number), uploadId: multipartId(upload), 'x-id': 'UploadPart' }
    const signed = await presign(access, { method: 'PUT', key, query, headers }, seconds).catch(
      failed('the request could not be signed'),
    )
    return { method: 'PUT', headers, ...signed }
  }

  async function parts(upload: StagedUpload): Promise<readonly ReceivedPart[] | undefined> {
    const stored = await listParts(client, bucket, upload)
    return stored?.map((part) => {
      const received = receivedPart(part)
      etags.set(received, part.etag)
      return received
    })
  }

  /** S3 compares ETags and SHA-256, so a part that was replaced since it was listed makes this `incomplete`. */
  async function complete(
    upload: StagedUpload,
    named: readonly ReceivedPart[],
  ): Promise<'complete' | 'incomplete'> {
    const tagged = named.every((part) => etags.has(part)) ? named : await findListed(upload, named)
    if (!tagged) return (await head(upload)) ? 'complete' : 'incomplete'
    const command = new CompleteMultipartUploadCommand({
      ...at(upload),
      UploadId: multipartId(upload),
      MultipartUpload: {
        Parts: tagged.map((part) => ({
          PartNumber: part.number,
          ETag: etags.get(part),
          ChecksumSHA256: hexToBase64(part.sha256),
        })),
      },
    })
    // The signal bounds all attempts together: a second one next to a slow first would only compete with it.
    return client
      .send(command, { requestTimeout: completeMs, abortSignal: AbortSignal.timeout(completeMs) })
      .then(() => 'complete' as const)
      .catch(async (error) => {
        // Another commit, or an earlier attempt of this one whose response was lost, may have completed it.
        if (isUploadGone(error)) return (await head(upload)) ? 'complete' : 'incomplete'
        return isRefusedComplete(error) ? 'incomplete' : failed('the upload could not be completed')(error)
      })
  }

  /** The same parts as `parts` returns them; undefined if S3 holds others. */
  async function findListed(upload: StagedUpload, named: readonly ReceivedPart[]) {
    const listed = new Map((await parts(upload))?.map((part) => [part.number, part]))
    const found = named.flatMap((part) => {
      const other = listed.get(part.number)
      return other?.sha256 === part.sha256 && other.size === part.size ? [other] : []
    })
    return found.length === named.length ? found : undefined
  }

  async function head(upload: StagedUpload): Promise<HeadObjectCommandOutput | undefined> {
    return client
      .send(new HeadObjectCommand(at(upload)))
      .catch((error) =>
        isMissing(error) ? undefined : failed('the staged bytes could not be inspected')(error),
      )
  }

  async function open(upload: StagedUpload): Promise<StagedBytes | undefined> {
    const found = await head(upload)
    if (!found) return undefined
    const { ETag: etag, ContentLength: size } = found
    if (etag === undefined || size === undefined) throw new Error('S3 describes an object without its ETag')
    const object = { client, bucket, key: stagingKey(upload.id, upload.attempt), etag, size }
    const isThere = async (blob: BlobId) => (await blobs.inspect(blob)).found
    return {
      size,
      read: (signal) => readRanges(object, signal),
      promote: (blob, description) =>
        startPromotion(object, { client, bucket: blobBucket, completeMs, isThere, description, clock }, blob),
    }
  }

  /** First the parts, then the object: a Complete in progress either fails, or its object is deleted. */
  async function drop(upload: StagedUpload): Promise<void> {
    const fail = failed('the staged bytes could not be removed')
    await client
      .send(new AbortMultipartUploadCommand({ ...at(upload), UploadId: multipartId(upload) }))
      .catch((error) => (isUploadGone(error) ? undefined : fail(error)))
    await client.send(new DeleteObjectCommand(at(upload))).catch(fail)
  }
}
