/** The Lambda behind every route of `write` access. */
import {
  createDynamoDbClient,
  createS3Client,
  createSqsClient,
  LAMBDA_BLOB_LIMITS,
  LAMBDA_STAGING_LIMITS,
} from '#aws/clients'
import { createDynamoDbLedger } from '#aws/dynamodb-ledger'
import { createDynamoDbUploads } from '#aws/dynamodb-uploads'
import { createS3BlobStore } from '#aws/s3-blob-store'
import { createS3Staging } from '#aws/s3-staging'
import { createSqsVerificationQueue } from '#aws/sqs-verification-queue'
import { createApi } from '#http/api'
import { lambdaHandler } from '#http/lambda'
import { readLambdaEnvironment } from '#protocol/environment'
import { LAMBDA_MAX_INLINE_BYTES, PRESIGNED_SECONDS } from '#protocol/limits'
import { createRepository } from '#repository/repository'
import { log } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'write')
const { blobBucket, stagingBucket, s3Endpoint: endpoint, maxArtifactBytes } = environment
const dynamoDb = createDynamoDbClient({})
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
  joinMs: LAMBDA_STAGING_LIMITS.joinMs,
})
const repository = createRepository({
  blobs,
  ledger: createDynamoDbLedger({ client: dynamoDb, table: environment.ledgerTable }),
  uploads: createDynamoDbUploads({ client: dynamoDb, table: environment.uploadsTable }),
  staging,
  queue: createSqsVerificationQueue({ client: createSqsClient({}), url: environment.verificationQueueUrl }),
  clock: Date.now,
  maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
  presignedSeconds: PRESIGNED_SECONDS,
})

export const handler = lambdaHandler(
  createApi({ repository, delivery: 'redirect', log, corsOrigins: environment.corsOrigins }),
)
