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
import { type ProbeResult, probeStores } from '../lib/aws/probe-stores.ts'
import { createS3BlobStore } from '../lib/aws/s3-blob-store.ts'
import { configuredS3Endpoint } from '../lib/aws/s3-endpoint.ts'
import { createS3Staging } from '../lib/aws/s3-staging.ts'
import { createSqsVerificationQueue } from '../lib/aws/sqs-verification-queue.ts'
import { UsageError } from '../lib/cli/failure.ts'
import type { AwsStores } from '../lib/cli/serve-settings.ts'
import { PRESIGNED_SECONDS } from '../lib/domain/limits.ts'
import { type DeliveryRecord, inProcessQueue } from '../lib/repository/in-process-queue.ts'
import { failVerification, verifyUpload } from '../lib/repository/verify.ts'
import type { Stores } from './stores.ts'

const NEXT = 'Correct the settings or the stores. `bucket probe --store aws` makes the same checks.'

/** Clients of the configured stores, and the endpoint that presigned requests are signed for. */
async function connect({ region, s3PublicEndpoint }: AwsStores) {
  const endpoint = await configuredS3Endpoint(region).catch((error: unknown) => {
    throw error instanceof Error ? new UsageError(error.message, NEXT, 'S3 cannot be used') : error
  })
  return {
    endpoint,
    linkEndpoint: s3PublicEndpoint?.href ?? endpoint,
    s3: createS3Client({ region, endpoint }, SERVER_BLOB_LIMITS),
    verifierS3: createS3Client({ region, endpoint }, VERIFIER_BLOB_LIMITS),
    dynamoDb: createDynamoDbClient({ region }),
    sqs: createSqsClient({ region }),
  }
}

type Connection = Awaited<ReturnType<typeof connect>>

const disconnect = ({ s3, verifierS3, dynamoDb, sqs }: Connection): void => {
  for (const client of [s3, verifierS3, dynamoDb, sqs]) client.destroy()
}

const probe = (settings: AwsStores, { s3, endpoint, dynamoDb, sqs }: Connection) => {
  const { blobBucket, stagingBucket, ledgerTable, uploadsTable, verificationQueueUrl: url } = settings
  return probeStores({
    ...{ s3, endpoint, blobBucket, stagingBucket, dynamoDb, ledgerTable, uploadsTable },
    queue: url === undefined ? undefined : { client: sqs, url },
  })
}

/** Checks what a server needs of its stores, without starting one (`bucket probe`). */
export async function probeAws(settings: AwsStores): Promise<readonly ProbeResult[]> {
  const connection = await connect(settings)
  try {
    return await probe(settings, connection)
  } finally {
    disconnect(connection)
  }
}

/** @throws Error that names every need that the stores do not meet. */
export async function openAws(
  settings: AwsStores,
  maxArtifactBytes: number,
  log: (record: DeliveryRecord) => void,
): Promise<Stores> {
  const connection = await connect(settings)
  const problems = (await probe(settings, connection)).filter(({ problem }) => problem !== null)
  if (problems.length > 0) {
    disconnect(connection)
    const listed = problems.map(({ need, problem }) => `${need}: ${problem}`)
    throw new UsageError(listed.join('; '), NEXT, 'S3, DynamoDB or SQS cannot be used')
  }
  const { blobBucket, stagingBucket, verificationQueueUrl } = settings
  const { s3, verifierS3, dynamoDb, sqs, linkEndpoint: endpoint } = connection

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
    verify: (request, signal, note) => verifyUpload(verification, request, signal, note),
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
  const stores = over(s3, SERVER_BLOB_LIMITS)
  return {
    ports: {
      ...stores,
      ...tables,
      queue,
      health: {
        ledger,
        'uploads table': tables.uploads,
        'blob store': stores.blobs,
        'staging area': stores.staging,
      },
    },
    async close() {
      await inProcess.close()
      disconnect(connection)
    },
  }
}
