/**
 * Wires `bucket serve --store aws`: the rules over S3 and DynamoDB. A server has no state of its own, so any number of them may
 * run side by side: the ledger's conditional put decides every race between them.
 */
import {
  createDynamoDbClient,
  createS3Client,
  createSqsClient,
  SERVER_BLOB_LIMITS,
  type StagingLimits,
  VERIFIER_BLOB_LIMITS,
} from '../lib/aws/clients.ts'
import { createDynamoDbLedger } from '../lib/aws/dynamodb-ledger.ts'
import { createDynamoDbUploads } from '../lib/aws/dynamodb-uploads.ts'
import { createS3BlobStore } from '../lib/aws/s3-blob-store.ts'
import { createS3Staging } from '../lib/aws/s3-staging.ts'
import { createSqsVerificationQueue } from '../lib/aws/sqs-verification-queue.ts'
import type { AwsStores } from '../lib/cli/serve-settings.ts'
import { PRESIGNED_SECONDS } from '../lib/domain/limits.ts'
import { type DeliveryRecord, inProcessQueue } from '../lib/repository/in-process-queue.ts'
import { failVerification, verifyUpload } from '../lib/repository/verify.ts'
import type { Stores } from './stores.ts'

/** @param endpoint an address that stands in for S3, as an emulator's does. */
export function openAws(
  settings: AwsStores,
  maxArtifactBytes: number,
  endpoint: string | undefined,
  log: (record: DeliveryRecord) => void,
): Stores {
  const { region, blobBucket, stagingBucket, verificationQueueUrl } = settings
  const s3 = createS3Client({ region, endpoint }, SERVER_BLOB_LIMITS)
  const verifierS3 = createS3Client({ region, endpoint }, VERIFIER_BLOB_LIMITS)
  const dynamoDb = createDynamoDbClient({ region })
  const sqs = createSqsClient({ region })

  const over = (client: typeof s3, { completeMs }: StagingLimits) => {
    const blobs = createS3BlobStore({ client, bucket: blobBucket, maxBytes: maxArtifactBytes, endpoint })
    const staged = { client, bucket: stagingBucket, blobBucket, blobs, endpoint, completeMs }
    return { blobs, staging: createS3Staging(staged) }
  }
  const ledger = createDynamoDbLedger({ client: dynamoDb, table: settings.ledgerTable })
  const tables = {
    ledger,
    uploads: createDynamoDbUploads({ client: dynamoDb, table: settings.uploadsTable }),
  }
  // The in-process queue loses unfinished verifications when the process ends; their leases then expire, and a repeated commit
  // restarts them.
  const inProcess = inProcessQueue({
    verify: (request, signal) => verifyUpload(verification, request, signal),
    abandon: (request) => failVerification(verification, request),
    log,
  })
  const queue =
    verificationQueueUrl === undefined
      ? inProcess
      : createSqsVerificationQueue({ client: sqs, url: verificationQueueUrl })
  const verification = {
    ...over(verifierS3, VERIFIER_BLOB_LIMITS),
    ...tables,
    queue,
    clock: Date.now,
    maxArtifactBytes,
    presignedSeconds: PRESIGNED_SECONDS,
  }
  return {
    ports: { ...over(s3, SERVER_BLOB_LIMITS), ...tables, queue, health: [ledger] },
    async close() {
      await inProcess.close()
      for (const client of [s3, verifierS3, dynamoDb, sqs]) client.destroy()
    },
  }
}
