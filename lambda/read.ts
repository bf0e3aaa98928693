/** The Lambda behind every route of `read` access. It has no S3 client (decision 010). */
import { createDynamoDbClient } from '../lib/aws/clients.ts'
import { createDynamoDbLedger } from '../lib/aws/dynamodb-ledger.ts'
import { createDynamoDbUploads } from '../lib/aws/dynamodb-uploads.ts'
import { createPresignOnlyBlobStore, createStagingView } from '../lib/aws/read-side.ts'
import { readLambdaEnvironment } from '../lib/deployment/environment.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../lib/domain/limits.ts'
import { createApi } from '../lib/http/api.ts'
import { lambdaHandler } from '../lib/http/lambda.ts'
import { createRepository } from '../lib/repository/repository.ts'
import { log } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'read')
const client = createDynamoDbClient({})
const access = { endpoint: environment.s3Endpoint, signing: client.config }
const repository = createRepository({
  blobs: createPresignOnlyBlobStore({ ...access, bucket: environment.blobBucket }),
  ledger: createDynamoDbLedger({ client, table: environment.ledgerTable }),
  uploads: createDynamoDbUploads({ client, table: environment.uploadsTable }),
  staging: createStagingView({ ...access, bucket: environment.stagingBucket }),
  // No route of read access commits an upload, and its role could not send.
  queue: { send: () => Promise.reject(new Error('the read function sends no verifications')) },
  clock: Date.now,
  maxArtifactBytes: environment.maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
  presignedSeconds: environment.presignedSeconds,
})

export const handler = lambdaHandler(
  createApi({ repository, delivery: 'redirect', log, corsOrigins: environment.corsOrigins }),
)
