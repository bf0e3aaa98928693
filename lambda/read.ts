/** The Lambda behind every route of `read` access. It has no S3 client (decision 010). */
import { createDynamoDbClient } from '../lib/aws/clients.ts'
import { createDynamoDbLedgerReader } from '../lib/aws/dynamodb-ledger.ts'
import { createDynamoDbUploads } from '../lib/aws/dynamodb-uploads.ts'
import { createPresignOnlyBlobStore, createStagingReader } from '../lib/aws/read-side.ts'
import { readLambdaEnvironment } from '../lib/deployment/environment.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../lib/domain/limits.ts'
import { createApi } from '../lib/http/api.ts'
import { lambdaHandler } from '../lib/http/lambda.ts'
import { createRepository } from '../lib/repository/repository.ts'
import { log } from './operation-log.ts'

const environment = readLambdaEnvironment(process.env, 'read')
const client = createDynamoDbClient({})
const access = { endpoint: environment.s3Endpoint, signing: client.config }
const refuse = async (): Promise<never> => {
  throw new Error('the read function writes nothing')
}
const repository = createRepository({
  blobs: {
    ...createPresignOnlyBlobStore({ ...access, bucket: environment.blobBucket }),
    ...{ write: refuse, read: refuse, presignPut: refuse },
  },
  ledger: { ...createDynamoDbLedgerReader({ client, table: environment.ledgerTable }), append: refuse },
  uploads: createDynamoDbUploads({ client, table: environment.uploadsTable }),
  staging: {
    ...createStagingReader({ ...access, bucket: environment.stagingBucket }),
    ...{ begin: refuse, presignPart: refuse, complete: refuse, open: refuse, drop: refuse },
  },
  queue: { send: refuse },
  clock: Date.now,
  maxArtifactBytes: environment.maxArtifactBytes,
  maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
  presignedSeconds: environment.presignedSeconds,
})

export const handler = lambdaHandler(
  createApi({ repository, delivery: 'redirect', log, corsOrigins: environment.corsOrigins }),
)
