/**
 * SDK clients of an emulator or of engines, and S3 buckets and tables of a suite's own. The endpoints come from the SDK's own
 * variables: AWS_ENDPOINT_URL, or one for each service.
 */
import { randomUUID } from 'node:crypto'
import { CreateTableCommand, type DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3'
import { createDynamoDbClient, createS3Client, SERVER_BLOB_LIMITS } from '../../lib/aws/clients.ts'

export interface EmulatedStores {
  /** Of S3. */
  readonly endpoint: string
  readonly s3: S3Client
  readonly dynamo: DynamoDBClient
  /** A further client of DynamoDB, as another process has it. */
  openDynamo(): DynamoDBClient
  /** @returns the name of a new S3 bucket. */
  makeBucket(): Promise<string>
  /** @returns the name of a new table. */
  makeTable(key: { readonly partition: string; readonly sort: string }): Promise<string>
  close(): void
}

/** An emulator on a busy machine may take longer than DynamoDB ever does. */
const EMULATOR_LIMITS = { ...SERVER_BLOB_LIMITS, attempts: 2 }

export function emulatedStores(): EmulatedStores {
  const {
    AWS_ENDPOINT_URL: all,
    AWS_ENDPOINT_URL_S3: forS3,
    AWS_ENDPOINT_URL_DYNAMODB: forDynamo,
  } = process.env
  const endpoint = forS3 ?? all
  const dynamoEndpoint = forDynamo ?? all
  if (endpoint === undefined || dynamoEndpoint === undefined)
    throw new Error('AWS_ENDPOINT_URL, or one for S3 and one for DynamoDB, must name an emulator')
  // These credentials replace those of the machine, so that tests only ever reach the emulator.
  process.env.AWS_ACCESS_KEY_ID = 'test'
  process.env.AWS_SECRET_ACCESS_KEY = 'test'
  process.env.AWS_REGION = 'us-east-1'
  const s3 = createS3Client({ endpoint }, SERVER_BLOB_LIMITS)
  const openDynamo = () => createDynamoDbClient({ endpoint: dynamoEndpoint }, EMULATOR_LIMITS)
  const dynamo = openDynamo()
  return {
    endpoint,
    s3,
    dynamo,
    openDynamo,
    async makeBucket() {
      const bucket = `suite-${randomUUID()}`
      await s3.send(new CreateBucketCommand({ Bucket: bucket }))
      return bucket
    },
    async makeTable({ partition, sort }) {
      const table = `suite-${randomUUID()}`
      await dynamo.send(
        new CreateTableCommand({
          TableName: table,
          BillingMode: 'PAY_PER_REQUEST',
          KeySchema: [
            { AttributeName: partition, KeyType: 'HASH' },
            { AttributeName: sort, KeyType: 'RANGE' },
          ],
          AttributeDefinitions: [
            { AttributeName: partition, AttributeType: 'S' },
            { AttributeName: sort, AttributeType: 'S' },
          ],
        }),
      )
      await waitUntilTableExists({ client: dynamo, maxWaitTime: 30 }, { TableName: table })
      return table
    },
    close() {
      s3.destroy()
      dynamo.destroy()
    },
  }
}
