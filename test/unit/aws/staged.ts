/** A staging area over the stand-in, with short time limits, and uploads in it. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { type CallLimits, createS3Client } from '../../../lib/aws/clients.ts'
import { createS3BlobStore } from '../../../lib/aws/s3-blob-store.ts'
import { createS3Staging } from '../../../lib/aws/s3-staging.ts'
import { GIB, sizeOfPart } from '../../../lib/domain/limits.ts'
import type { BlobStore } from '../../../lib/repository/ports.ts'
import type {
  ReceivedPart,
  StagedBytes,
  StagedUpload,
  Staging,
} from '../../../lib/repository/upload-ports.ts'
import { type AwsStandIn, type StandInObject, startAwsStandIn } from '../../support/aws-stand-in.ts'
import { uploadOf } from './uploads-fixtures.ts'

const SHORT: CallLimits = { connectMs: 500, answerMs: 2000, idleMs: 2000, attempts: 2 }

export interface StagedStand {
  readonly aws: AwsStandIn
  readonly staging: Staging
  readonly blobs: BlobStore
  /** Begins an upload of these bytes and sends all its parts. */
  sent(bytes: Uint8Array): Promise<StagedUpload>
  /** Joined and opened. The parts of the same bytes are sent once for each test file: they are the slow half of a test. */
  opened(bytes: Uint8Array): Promise<{ upload: StagedUpload; staged: StagedBytes }>
}

export const hexOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export function partsOf(bytes: Uint8Array): readonly (ReceivedPart & { readonly bytes: Uint8Array })[] {
  const first = sizeOfPart(bytes.byteLength, 1)
  return Array.from({ length: Math.ceil(bytes.byteLength / first) }, (_, at) => {
    const part = bytes.subarray(at * first, (at + 1) * first)
    return { number: at + 1, size: part.byteLength, sha256: hexOf(part), bytes: part }
  })
}

/** Registers hooks that start it for a test file; use the result inside of tests only. */
export function useStaging(): StagedStand {
  let aws: AwsStandIn
  let staging: Staging
  let blobs: BlobStore
  beforeAll(async () => {
    aws = await startAwsStandIn()
    const client = createS3Client({ region: 'eu-west-1', endpoint: aws.url }, SHORT)
    client.config.credentials = async () => ({ accessKeyId: 'AKIA', secretAccessKey: 'secret' })
    blobs = createS3BlobStore({ client, bucket: 'blobs', maxBytes: GIB, endpoint: aws.url })
    const options = { client, bucket: 'staging', blobBucket: 'blobs', blobs, endpoint: aws.url }
    staging = createS3Staging({ ...options, joinMs: 1000 })
  })
  afterAll(() => aws?.close())
  beforeEach(() => aws?.reset())

  const joined = new Map<
    Uint8Array,
    { readonly upload: StagedUpload; readonly objects: Map<string, StandInObject> }
  >()
  async function join(bytes: Uint8Array) {
    const upload = await sent(bytes)
    await staging.complete(upload, partsOf(bytes))
    return { upload, objects: new Map(aws.objects) }
  }

  async function sent(bytes: Uint8Array): Promise<StagedUpload> {
    const { id, attempt, size } = uploadOf(bytes)
    const upload = { id, attempt, size, stagingId: await staging.begin(id, attempt, size) }
    for (const part of partsOf(bytes)) {
      const { method, url, headers } = await staging.presignPart(
        upload,
        part.number,
        part.size,
        part.sha256,
        60,
      )
      await fetch(url, { method, headers, body: part.bytes.slice() })
    }
    return upload
  }

  return {
    get aws() {
      return aws
    },
    get staging() {
      return staging
    },
    get blobs() {
      return blobs
    },
    sent,
    async opened(bytes) {
      const { upload, objects } = joined.get(bytes) ?? (await join(bytes))
      joined.set(bytes, { upload, objects })
      for (const [key, object] of objects) aws.objects.set(key, { ...object })
      const staged = await staging.open(upload)
      if (!staged) throw new Error('what was joined is not there')
      aws.calls.length = 0
      return { upload, staged }
    },
  }
}
