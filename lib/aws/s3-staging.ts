/**
 * The staging area: an S3 bucket of its own, in which everything expires. Parts go straight there, each checked by S3 against the
 * SHA-256 and the length in the signed headers of its request. What is read and what is promoted are one version of one object.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { hexToBase64 } from '../domain/digest.ts'
import type { BlobId, BlobStore, Clock, PresignedRequest } from '../repository/ports.ts'
import type {
  ReceivedPart,
  StagedBytes,
  StagedUpload,
  Staging,
  UploadId,
} from '../repository/upload-ports.ts'
import { failed, isMissing, isRefusedJoin, isUploadGone } from './s3-errors.ts'
import { listParts, receivedPart, type StoredPart } from './s3-parts.ts'
import { presign, type SignedAccess } from './s3-presign.ts'
import { startPromotion } from './s3-promotion.ts'
import { readRanges } from './s3-ranges.ts'
import { multipartId, stagingKey } from './staged-object.ts'

export interface S3StagingOptions {
  readonly client: S3Client
  /** The S3 bucket for parts; it is in the same region as that of the blobs, so that copies stay inside of S3. */
  readonly bucket: string
  /** The S3 bucket of the blobs. */
  readonly blobBucket: string
  readonly blobs: Pick<BlobStore, 'inspect'>
  /** How long joining may take, in milliseconds: of the client's `JoinLimits`. */
  readonly joinMs: number
  /** An endpoint that stands in for S3, as the client has it. */
  readonly endpoint?: string | undefined
  readonly clock?: Clock
}

export function createS3Staging(options: S3StagingOptions): Staging {
  const { client, bucket, blobBucket, blobs, joinMs, endpoint, clock = Date.now } = options
  const { region, credentials } = client.config
  const access: SignedAccess = { bucket, endpoint, clock, signing: { region, credentials } }
  const at = (upload: StagedUpload) => ({ Bucket: bucket, Key: stagingKey(upload.id, upload.attempt) })

  return {
    begin,
    presignPart,
    parts: async (upload) => (await listParts(access, upload))?.map(receivedPart),
    complete,
    open,
    drop,
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
      .catch(failed('the upload could not be begun'))
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

  /** The list of parts is read anew, for the tags that S3 wants: it refuses a part that was replaced since, and so does this. */
  async function complete(
    upload: StagedUpload,
    parts: readonly ReceivedPart[],
  ): Promise<'complete' | 'incomplete'> {
    const stored = await listParts(access, upload)
    if (stored === undefined) return (await head(upload)) ? 'complete' : 'incomplete'
    const byNumber = new Map(stored.map((part) => [part.number, part]))
    const named = parts.map((part) => sameBytes(part, byNumber.get(part.number)))
    if (named.includes(undefined)) return 'incomplete'
    const command = new CompleteMultipartUploadCommand({
      ...at(upload),
      UploadId: multipartId(upload),
      MultipartUpload: {
        Parts: parts.map(({ number, sha256 }) => ({
          PartNumber: number,
          ETag: byNumber.get(number)?.etag,
          ChecksumSHA256: hexToBase64(sha256),
        })),
      },
    })
    // The signal bounds all tries together: a second one beside a slow first would only be in its way.
    return client
      .send(command, { requestTimeout: joinMs, abortSignal: AbortSignal.timeout(joinMs) })
      .then(() => 'complete' as const)
      .catch(async (error) => {
        // Another commit, or an earlier try of this one whose answer was lost, has joined them.
        if (isUploadGone(error)) return (await head(upload)) ? 'complete' : 'incomplete'
        return isRefusedJoin(error) ? 'incomplete' : failed('the parts could not be joined')(error)
      })
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
      promote: (blob) => startPromotion(object, { client, bucket: blobBucket, joinMs, isThere }, blob),
    }
  }

  /** First the parts, then the object: a join that is under way either comes too late, or is deleted with its object. */
  async function drop(upload: StagedUpload): Promise<void> {
    const fail = failed('the staged bytes could not be dropped')
    await client
      .send(new AbortMultipartUploadCommand({ ...at(upload), UploadId: multipartId(upload) }))
      .catch((error) => (isUploadGone(error) ? undefined : fail(error)))
    await client.send(new DeleteObjectCommand(at(upload))).catch(fail)
  }
}

const sameBytes = (part: ReceivedPart, stored: StoredPart | undefined): StoredPart | undefined =>
  stored?.sha256 === part.sha256 && stored.size === part.size ? stored : undefined
