/**
 * The contract suites of the upload ports on the S3 and DynamoDB of an emulator. The tables and S3 buckets of the real stack have
 * the same keys and settings, which the infra tests assert.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { DeleteTableCommand } from '@aws-sdk/client-dynamodb'
import { afterAll } from 'vitest'
import { SERVER_BLOB_LIMITS } from '../../lib/aws/clients.ts'
import { createDynamoDbUploads } from '../../lib/aws/dynamodb-uploads.ts'
import { createS3BlobStore } from '../../lib/aws/s3-blob-store.ts'
import { createS3Staging } from '../../lib/aws/s3-staging.ts'
import { UPLOADS_KEY } from '../../lib/deployment/tables.ts'
import { GIB } from '../../lib/domain/limits.ts'
import { describeStaging, type StagingUnderTest } from '../contract/staging.ts'
import { describeUploads } from '../contract/uploads-table.ts'
import { emulatedStores } from './emulated-stores.ts'
import { answers } from './emulator.ts'

const stores = emulatedStores()
const isLocalStack = !(await answers(`${stores.endpoint}/_ministack/health`))
/** Observed: a completion without a response, and one that leaves an empty object. */
const LOCALSTACK_JOINS = 'LocalStack breaks when two completions of one multipart upload meet'
const { endpoint, s3, dynamo } = stores
afterAll(() => stores.close())

describeUploads('DynamoDB', async () => {
  const table = await stores.makeTable(UPLOADS_KEY)
  return {
    uploads: createDynamoDbUploads({ client: dynamo, table }),
    reopen: async () => createDynamoDbUploads({ client: stores.openDynamo(), table }),
    close: async () => {
      await dynamo.send(new DeleteTableCommand({ TableName: table }))
    },
  }
})

describeStaging('S3', makeStaging, {
  cannotWitness: isLocalStack ? { 'simultaneous joinings': LOCALSTACK_JOINS } : {},
})

async function makeStaging(): Promise<StagingUnderTest> {
  const [bucket, blobBucket] = [await stores.makeBucket(), await stores.makeBucket()]
  const blobs = createS3BlobStore({ client: s3, bucket: blobBucket, endpoint, maxBytes: 5 * GIB })
  return {
    blobs,
    staging: createS3Staging({
      client: s3,
      bucket,
      blobBucket,
      blobs,
      endpoint,
      completeMs: SERVER_BLOB_LIMITS.completeMs,
    }),
    async send({ method, url, headers }, bytes) {
      // The length is that of the bytes: with another one announced, a store would wait for the rest.
      const { 'content-length': _, ...others } = headers
      const answer = await fetch(url, { method, headers: others, body: bytes.slice() })
      await answer.arrayBuffer()
      return answer.status
    },
    passTime: (milliseconds) => pause(milliseconds).then(() => undefined),
    close: async () => undefined,
  }
}
