/** The Lambda function for every route with `read` access. It has no S3 client (decision 010). */
import { createLambdaDynamoDbClient } from '../lib/aws/clients.ts'
import { createDynamoDbLedgerReader } from '../lib/aws/dynamodb-ledger.ts'
import { createDynamoDbUploadsReader } from '../lib/aws/dynamodb-uploads.ts'
import { createPresignOnlyBlobStore, createStagingReader } from '../lib/aws/read-side.ts'
import { readLambdaEnvironment } from '../lib/deployment/environment.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../lib/domain/limits.ts'
import { createApi } from '../lib/http/api.ts'
import { lambdaHandler } from '../lib/http/lambda.ts'
import { READ_HANDLERS, type ReadStores } from '../lib/http/read-handlers.ts'
import { operationLog } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'read')
const client = createLambdaDynamoDbClient()
const ledger = createDynamoDbLedgerReader({ client, table: environment.ledgerTable })
const access = { endpoint: environment.s3Endpoint, signing: client.config }
const stores: ReadStores = {
  blobs: createPresignOnlyBlobStore({ ...access, bucket: environment.blobBucket }),
  ledger,
  uploads: createDynamoDbUploadsReader({ client, table: environment.uploadsTable }),
  staging: createStagingReader({ ...access, bucket: environment.stagingBucket }),
  health: { ledger },
  clock: Date.now,
  maxArtifactBytes: environment.maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
  presignedSeconds: environment.presignedSeconds,
}

export const handler = lambdaHandler(
  createApi({
    handlers: READ_HANDLERS,
    bodies: {},
    stores,
    log: operationLog(environment.serviceName),
    corsOrigins: environment.corsOrigins,
  }),
)
