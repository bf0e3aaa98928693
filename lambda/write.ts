/** The Lambda function for every route with `write` access. */
import {
  createLambdaDynamoDbClient,
  createS3Client,
  createSqsClient,
  LAMBDA_BLOB_LIMITS,
  LAMBDA_STAGING_LIMITS,
} from '../lib/aws/clients.ts'
import { createDynamoDbLedger } from '../lib/aws/dynamodb-ledger.ts'
import { createDynamoDbUploads } from '../lib/aws/dynamodb-uploads.ts'
import { createS3BlobStore } from '../lib/aws/s3-blob-store.ts'
import { createS3Staging } from '../lib/aws/s3-staging.ts'
import { createSqsVerificationQueue } from '../lib/aws/sqs-verification-queue.ts'
import { readLambdaEnvironment } from '../lib/deployment/environment.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../lib/domain/limits.ts'
import { createApi } from '../lib/http/api.ts'
import { lambdaHandler } from '../lib/http/lambda.ts'
import { WRITE_HANDLERS, type WriteStores } from '../lib/http/write-handlers.ts'
import { BODY_DECODERS } from '../lib/protocol/decode.ts'
import { operationLog } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'write')
const { blobBucket, stagingBucket, s3Endpoint: endpoint, maxArtifactBytes } = environment
const dynamoDb = createLambdaDynamoDbClient()
const blobs = createS3BlobStore({
  client: createS3Client({ endpoint }, LAMBDA_BLOB_LIMITS),
  bucket: blobBucket,
  endpoint,
  maxBytes: maxArtifactBytes,
})
const staging = createS3Staging({
  client: createS3Client({ endpoint }, LAMBDA_STAGING_LIMITS),
  bucket: stagingBucket,
  blobBucket,
  blobs,
  endpoint,
  completeMs: LAMBDA_STAGING_LIMITS.completeMs,
})
const stores: WriteStores = {
  blobs,
  ledger: createDynamoDbLedger({ client: dynamoDb, table: environment.ledgerTable }),
  uploads: createDynamoDbUploads({ client: dynamoDb, table: environment.uploadsTable }),
  staging,
  queue: createSqsVerificationQueue({ client: createSqsClient({}), url: environment.verificationQueueUrl }),
  clock: Date.now,
  maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
  presignedSeconds: environment.presignedSeconds,
}

export const handler = lambdaHandler(
  createApi({
    handlers: WRITE_HANDLERS,
    bodies: BODY_DECODERS,
    stores,
    log: operationLog(environment.serviceName),
    corsOrigins: environment.corsOrigins,
  }),
)
