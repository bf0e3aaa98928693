/** A staging area over the stand-in with its time limits, the read function's view of it, and uploads in it. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { type CallLimits, createDynamoDbClient, createS3Client } from '../../../lib/aws/clients.ts'
import { createStagingReader } from '../../../lib/aws/read-side.ts'
import { createS3BlobStore } from '../../../lib/aws/s3-blob-store.ts'
import { createS3Staging } from '../../../lib/aws/s3-staging.ts'
import { GIB, sizeOfPart } from '../../../lib/domain/limits.ts'
import type { ReceivedPart } from '../../../lib/domain/upload.ts'
import type { BlobStore } from '../../../lib/repository/ports.ts'
import type { StagedBytes, StagedUpload, Staging } from '../../../lib/repository/upload-ports.ts'
import { type AwsStandIn, startAwsStandIn } from '../../support/aws-stand-in.ts'
import type { StandInObject } from '../../support/s3-stand-in.ts'
import { uploadOf } from './uploads-fixtures.ts'

/** Longer than a busy machine takes, and than `impatient` waits, so that no call is repeated before that. */
const LIMITS: CallLimits = { connectMs: 10_000, answerMs: 10_000, idleMs: 5000, attempts: 2 }

export interface StagedStand {
  readonly aws: AwsStandIn
  readonly staging: Staging
  /** The same with three seconds for CompleteMultipartUpload, for tests in which it gets no response. */
  readonly impatient: Staging
  /** The read function's view of the same staging area. */
  readonly view: Pick<Staging, 'parts'>
  readonly blobs: BlobStore
  /** Starts an upload of these bytes and sends all of its parts. */
  sent(bytes: Uint8Array): Promise<StagedUpload>
  /** Completed and opened. The parts of the same bytes are sent once per test file, because sending is the slow half of a test. */
  opened(
    bytes: Uint8Array,
    through?: 'staging' | 'impatient',
  ): Promise<{ upload: StagedUpload; staged: StagedBytes }>
}

export const hexOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export function partsOf(bytes: Uint8Array): readonly (ReceivedPart & { readonly bytes: Uint8Array })[] {
  const first = sizeOfPart(bytes.byteLength, 1)
  return Array.from({ length: Math.ceil(bytes.byteLength / first) }, (_, at) => {
    const part = bytes.subarray(at * first, (at + 1) * first)
    return { number: at + 1, size: part.byteLength, sha256: hexOf(part), bytes: part }
  })
}

/** Registers hooks that start it for a test file. Use the result only inside tests. */
export function useStaging(): StagedStand {
  let aws: AwsStandIn
  let staging: Staging
  let impatient: Staging
  let view: Pick<Staging, 'parts'>
  let blobs: BlobStore
  beforeAll(async () => {
    aws = await startAwsStandIn()
    const client = createS3Client({ region: 'eu-west-1', endpoint: aws.url }, LIMITS)
    client.config.credentials = async () => ({ accessKeyId: 'AKIA', secretAccessKey: 'secret' })
    blobs = createS3BlobStore({ client, bucket: 'blobs', maxBytes: GIB, endpoint: aws.url })
    const options = { client, bucket: 'staging', blobBucket: 'blobs', blobs, endpoint: aws.url }
    staging = createS3Staging({ ...options, completeMs: 60_000 })
    impatient = createS3Staging({ ...options, completeMs: 3000 })
    const dynamoDb = createDynamoDbClient({ region: 'eu-west-1' }, LIMITS)
    dynamoDb.config.credentials = client.config.credentials
    view = createStagingReader({ bucket: 'staging', endpoint: aws.url, signing: dynamoDb.config })
  })
  afterAll(() => aws?.close())
  beforeEach(() => aws?.reset())

  const completed = new Map<
    Uint8Array,
    { readonly upload: StagedUpload; readonly objects: Map<string, StandInObject> }
  >()
  async function complete(bytes: Uint8Array) {
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
    get impatient() {
      return impatient
    },
    get view() {
      return view
    },
    get blobs() {
      return blobs
    },
    sent,
    async opened(bytes, through = 'staging') {
      const { upload, objects } = completed.get(bytes) ?? (await complete(bytes))
      completed.set(bytes, { upload, objects })
      for (const [key, object] of objects) aws.objects.set(key, { ...object })
      const staged = await { staging, impatient }[through].open(upload)
      if (!staged) throw new Error('the completed object is missing')
      aws.calls.length = 0
      return { upload, staged }
    },
  }
}
