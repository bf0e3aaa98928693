/**
 * Copies staged bytes to their final key inside S3, so that none of them passes through this process. The copies are pinned to the
 * object that is being hashed. No object has the final key before `publish` (invariant I1): until then there are only the parts
 * of a multipart upload, whose metadata will vouch for the digest once it is completed.
 */
import { setTimeout as wait } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import type { Description } from '../domain/description.ts'
import { digestHex } from '../domain/digest.ts'
import type { BlobId } from '../domain/entry.ts'
import { MIB } from '../domain/limits.ts'
import { anySignal, raceAbort } from '../flow/abort.ts'
import type { Clock } from '../repository/ports.ts'
import type { Promotion } from '../repository/upload-ports.ts'
import { metadataAt } from './blob-metadata.ts'
import { blobKey, DIGEST_METADATA_KEY } from './blob-object.ts'
import { isNameTaken, isSimultaneous, isUploadGone } from './s3-errors.ts'
import type { PinnedObject } from './s3-ranges.ts'
import { failed } from './sdk-failure.ts'
import { copySource } from './staged-object.ts'

/** S3 accepts parts of 5 MiB to 5 GiB, and 10,000 of them. */
const COPY_BYTES = 64 * MIB
const MAX_COPIES = 9000
const COPIES_AT_ONCE = 4
/** How often a promotion restarts because of a simultaneous create-only write of the same key. */
const TRIES = 3
/** How often `keep` is called while copies are in progress, in milliseconds. */
const KEEP_MS = 1000

const PROMOTING = 'the blob could not be promoted'

export interface PromotionTarget {
  readonly client: S3Client
  /** The S3 bucket of the blobs. */
  readonly bucket: string
  /** How long CompleteMultipartUpload may take, all attempts together, in milliseconds. */
  readonly completeMs: number
  isThere(blob: BlobId): Promise<boolean>
  readonly description: Description
  readonly clock: Clock
}

/** The size of one copy in bytes, in whole MiB: at least 64, and never more than 9,000 copies. */
export const copyBytes = (size: number): number =>
  Math.max(COPY_BYTES, Math.ceil(size / MAX_COPIES / MIB) * MIB)

export async function startPromotion(
  source: PinnedObject,
  target: PromotionTarget,
  blob: BlobId,
): Promise<Promotion> {
  let copying = await startCopying(source, target, blob)
  async function publish(signal: AbortSignal): Promise<'written' | 'exists'> {
    for (let attempt = 1; ; attempt += 1) {
      const parts = await raceAbort(() => copying.parts, signal)
      const outcome = await complete(target, blob, copying.uploadId, parts, signal)
      if (outcome !== 'simultaneous') {
        // The caller will not call abandon() after this, so abort the multipart upload here.
        if (outcome === 'exists') await copying.end().catch(() => undefined)
        return outcome
      }
      await copying.end().catch(() => undefined) // the lifecycle rule aborts it otherwise
      if (attempt === TRIES) throw new Error('other writers keep writing the same key')
      copying = await startCopying(source, target, blob)
    }
  }
  return {
    async waitForCopies(keep, signal) {
      while (!(await raceAbort(() => isDoneWithin(KEEP_MS, copying.parts), signal))) await keep()
    },
    publish(signal) {
      const late = AbortSignal.timeout(target.completeMs)
      return publish(signal ? anySignal(signal, late) : late).catch(failed(PROMOTING, signal))
    },
    abandon: () => copying.end(),
  }
}

async function isDoneWithin(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController()
  const late = wait(milliseconds, false, { signal: timer.signal }).catch(() => false)
  return Promise.race([work.then(() => true), late]).finally(() => timer.abort())
}

/** One multipart upload of the final key, with its copies in progress. */
interface Copying {
  readonly uploadId: string
  /** Rejects when a copy has failed after all retries. */
  readonly parts: Promise<CompletedPart[]>
  /** Stops the copies and removes them. */
  end(): Promise<void>
}

async function startCopying(
  source: PinnedObject,
  { client, bucket, description, clock }: PromotionTarget,
  blob: BlobId,
): Promise<Copying> {
  const at = { Bucket: bucket, Key: blobKey(blob) }
  const { UploadId } = await client
    .send(
      new CreateMultipartUploadCommand({
        ...at,
        // No checksum algorithm: the metadata vouches for the digest, and some engines refuse copied parts otherwise.
        Metadata: {
          ...metadataAt(description, clock()),
          [DIGEST_METADATA_KEY]: digestHex(blob.digest),
        },
        ContentType: description.contentType,
      }),
    )
    .catch(failed(PROMOTING))
  if (UploadId === undefined) throw new Error('S3 named no multipart upload')
  const stop = new AbortController()
  const parts = copyAll(source, client, { ...at, UploadId }, stop)
  // `publish` handles the rejection. One that comes while bytes are still being hashed must not end the process.
  parts.catch(() => {})
  return {
    uploadId: UploadId,
    parts,
    async end() {
      stop.abort()
      // A copy still in progress could outlive the abort of its upload.
      await parts.catch(() => {})
      await client
        .send(new AbortMultipartUploadCommand({ ...at, UploadId }))
        .catch((error) =>
          isUploadGone(error) ? undefined : failed('a promotion could not be stopped')(error),
        )
    },
  }
}

/** Makes all copies, a few at a time. Settles only when none is in progress any more. */
async function copyAll(
  source: PinnedObject,
  client: S3Client,
  to: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
  stop: AbortController,
): Promise<CompletedPart[]> {
  const bytes = copyBytes(source.size)
  const count = Math.ceil(source.size / bytes)
  const done: CompletedPart[] = []
  let next = 1
  async function copyNext(): Promise<void> {
    for (let number = next++; number <= count; number = next++) {
      const first = (number - 1) * bytes
      const last = Math.min(first + bytes, source.size) - 1
      const { CopyPartResult } = await client.send(
        new UploadPartCopyCommand({
          ...to,
          PartNumber: number,
          CopySource: copySource(source.bucket, source.key),
          CopySourceIfMatch: source.etag,
          CopySourceRange: `bytes=${first}-${last}`,
        }),
        { abortSignal: stop.signal },
      )
      done[number - 1] = { PartNumber: number, ETag: CopyPartResult?.ETag }
    }
  }
  const lanes = Array.from({ length: Math.min(COPIES_AT_ONCE, count) }, () =>
    copyNext().catch((error) => {
      stop.abort(error)
      throw error
    }),
  )
  const results = await Promise.allSettled(lanes)
  // The abort's reason is the first failure; the other lanes only report the abort.
  return results.some(({ status }) => status === 'rejected') ? failed(PROMOTING)(stop.signal.reason) : done
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
async function complete(
  { client, bucket, completeMs, isThere }: PromotionTarget,
  blob: BlobId,
  uploadId: string,
  parts: CompletedPart[],
  signal: AbortSignal,
): Promise<'written' | 'exists' | 'simultaneous'> {
  const command = new CompleteMultipartUploadCommand({
    Bucket: bucket,
    Key: blobKey(blob),
    UploadId: uploadId,
    MultipartUpload: { Parts: parts },
    IfNoneMatch: '*',
  })
  try {
    await client.send(command, { requestTimeout: completeMs, abortSignal: signal })
    return 'written'
  } catch (error) {
    if (isNameTaken(error)) return 'exists'
    if (isSimultaneous(error)) return 'simultaneous'
    // An earlier attempt of the SDK, whose response was lost, may have completed it.
    if (isUploadGone(error) && (await isThere(blob))) return 'exists'
    throw error
  }
}
