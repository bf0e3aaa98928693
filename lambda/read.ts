/** The Lambda behind every route of `read` access. It has no S3 client: what it says to S3, it signs itself. */
import { createDynamoDbClient } from '#aws/clients'
import { createDynamoDbLedger } from '#aws/dynamodb-ledger'
import { createDynamoDbUploads } from '#aws/dynamodb-uploads'
import { createLinkStore } from '#aws/s3-links'
import { createStagingView } from '#aws/s3-parts'
import { createApi } from '#http/api'
import { lambdaHandler } from '#http/lambda'
import { readLambdaEnvironment } from '#protocol/environment'
import { LAMBDA_MAX_INLINE_BYTES, PRESIGNED_SECONDS } from '#protocol/limits'
import { createRepository } from '#repository/repository'
import { log } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'read')
const client = createDynamoDbClient({})
const access = { endpoint: environment.s3Endpoint, signing: client.config }
const repository = createRepository({
  blobs: createLinkStore({ ...access, bucket: environment.blobBucket }),
  ledger: createDynamoDbLedger({ client, table: environment.ledgerTable }),
  uploads: createDynamoDbUploads({ client, table: environment.uploadsTable }),
  staging: createStagingView({ ...access, bucket: environment.stagingBucket }),
  // No route of read access commits an upload, and its role could not send.
  queue: { send: () => Promise.reject(new Error('the read function sends no verifications')) },
  clock: Date.now,
  maxArtifactBytes: environment.maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
  presignedSeconds: PRESIGNED_SECONDS,
})

export const handler = lambdaHandler(
  createApi({ repository, delivery: 'redirect', log, corsOrigins: environment.corsOrigins }),
)
