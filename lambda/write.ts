/** The Lambda behind every route of `write` access. */
import { createDynamoDbClient, createS3Client, LAMBDA_BLOB_LIMITS } from '#aws/clients'
import { createDynamoDbLedger } from '#aws/dynamodb-ledger'
import { createS3BlobStore } from '#aws/s3-blob-store'
import { createApi } from '#http/api'
import { lambdaHandler } from '#http/lambda'
import { readLambdaEnvironment } from '#protocol/environment'
import { LAMBDA_MAX_INLINE_BYTES } from '#protocol/limits'
import { createRepository } from '#repository/repository'
import { log } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env)
const endpoint = environment.s3Endpoint
const repository = createRepository({
  blobs: createS3BlobStore({
    client: createS3Client({ endpoint }, LAMBDA_BLOB_LIMITS),
    bucket: environment.blobBucket,
    endpoint,
    maxBytes: environment.maxArtifactBytes,
  }),
  ledger: createDynamoDbLedger({ client: createDynamoDbClient({}), table: environment.ledgerTable }),
  clock: Date.now,
  maxArtifactBytes: environment.maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
})

export const handler = lambdaHandler(
  createApi({ repository, delivery: 'redirect', log, corsOrigins: environment.corsOrigins }),
)
