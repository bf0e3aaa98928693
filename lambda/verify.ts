/** The Lambda function for the queue of verifications and its dead-letter queue. */
import {
  createLambdaDynamoDbClient,
  createS3Client,
  createSqsClient,
  VERIFIER_BLOB_LIMITS,
} from '../lib/aws/clients.ts'
import { createDynamoDbLedger } from '../lib/aws/dynamodb-ledger.ts'
import { createDynamoDbUploads } from '../lib/aws/dynamodb-uploads.ts'
import { createS3BlobStore } from '../lib/aws/s3-blob-store.ts'
import { createS3Staging } from '../lib/aws/s3-staging.ts'
import { messageHandler } from '../lib/aws/sqs-messages.ts'
import { createSqsVerificationQueue } from '../lib/aws/sqs-verification-queue.ts'
import { readLambdaEnvironment } from '../lib/deployment/environment.ts'
import { failVerification, verifyUpload } from '../lib/repository/verify.ts'
import { operationLog } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'verify')
const { blobBucket, stagingBucket, s3Endpoint: endpoint, maxArtifactBytes } = environment
const s3 = createS3Client({ endpoint }, VERIFIER_BLOB_LIMITS)
const dynamoDb = createLambdaDynamoDbClient()
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
    completeMs: VERIFIER_BLOB_LIMITS.completeMs,
  }),
  queue: createSqsVerificationQueue({ client: sqs, url: queueUrl }),
  clock: Date.now,
  maxArtifactBytes,
  presignedSeconds: environment.presignedSeconds,
}

export const handler = messageHandler({
  verify: (request, signal, note) => verifyUpload(stores, request, signal, note),
  abandon: (request) => failVerification(stores, request),
  client: sqs,
  queueUrl,
  deadLetterQueueArn: environment.deadLetterQueueArn,
  log: operationLog(environment.serviceName),
})
