/** The Lambda behind the queue of verifications, and behind its dead-letter queue. */
import { createDynamoDbClient, createS3Client, createSqsClient, VERIFIER_BLOB_LIMITS } from '#aws/clients'
import { createDynamoDbLedger } from '#aws/dynamodb-ledger'
import { createDynamoDbUploads } from '#aws/dynamodb-uploads'
import { createS3BlobStore } from '#aws/s3-blob-store'
import { createS3Staging } from '#aws/s3-staging'
import { deliveryHandler } from '#aws/sqs-deliveries'
import { createSqsVerificationQueue } from '#aws/sqs-verification-queue'
import { readLambdaEnvironment } from '#protocol/environment'
import { PRESIGNED_SECONDS } from '#protocol/limits'
import { abandonVerification, verifyUpload } from '#repository/verify'
import { log } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'verify')
const { blobBucket, stagingBucket, s3Endpoint: endpoint, maxArtifactBytes } = environment
const s3 = createS3Client({ endpoint }, VERIFIER_BLOB_LIMITS)
const dynamoDb = createDynamoDbClient({})
const sqs = createSqsClient({})
const queueUrl = environment.verificationQueueUrl
const blobs = createS3BlobStore({ client: s3, bucket: blobBucket, endpoint, maxBytes: maxArtifactBytes })
const stores = {
  blobs,
  ledger: createDynamoDbLedger({ client: dynamoDb, table: environment.ledgerTable }),
  uploads: createDynamoDbUploads({ client: dynamoDb, table: environment.uploadsTable }),
  staging: createS3Staging({
    client: s3,
    bucket: stagingBucket,
    blobBucket,
    blobs,
    endpoint,
    joinMs: VERIFIER_BLOB_LIMITS.joinMs,
  }),
  queue: createSqsVerificationQueue({ client: sqs, url: queueUrl }),
  clock: Date.now,
  maxArtifactBytes,
  presignedSeconds: PRESIGNED_SECONDS,
}

export const handler = deliveryHandler({
  verify: (request, signal) => verifyUpload(stores, request, signal),
  abandon: (request) => abandonVerification(stores, request),
  client: sqs,
  queueUrl,
  deadLetterQueueArn: environment.deadLetterQueueArn,
  log,
})
