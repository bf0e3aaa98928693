/** The Lambda behind every route of `read` access. It has no S3 client: it hands out links that it signs itself. */
import { createDynamoDbClient } from '#aws/clients'
import { createDynamoDbLedger } from '#aws/dynamodb-ledger'
import { createLinkStore } from '#aws/s3-links'
import { createApi } from '#http/api'
import { lambdaHandler } from '#http/lambda'
import { readLambdaEnvironment } from '#protocol/environment'
import { LAMBDA_MAX_INLINE_BYTES } from '#protocol/limits'
import { createRepository } from '#repository/repository'
import { log } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env)
const client = createDynamoDbClient({})
const repository = createRepository({
  blobs: createLinkStore({
    bucket: environment.blobBucket,
    endpoint: environment.s3Endpoint,
    signing: client.config,
  }),
  ledger: createDynamoDbLedger({ client, table: environment.ledgerTable }),
  clock: Date.now,
  maxArtifactBytes: environment.maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
})

export const handler = lambdaHandler(
  createApi({ repository, delivery: 'redirect', log, corsOrigins: environment.corsOrigins }),
)
