/** Removing the stack keeps all artifacts: the S3 bucket and the ledger are retained with their contents. */
import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { get, stored } from '../contract/http/requests.ts'
import { deployedTarget } from './deployed-target.ts'
import { destroy } from './deployment.ts'
import { PROJECT } from './emulator.ts'
import { given } from './given.ts'

test('cdk destroy removes the API, and keeps blobs and ledger unchanged', {
  timeout: 300_000,
}, async (context) => {
  const { emulator, work, deployment } = given()
  if (emulator === 'localstack') context.skip('destroy: LocalStack keeps no promise about retained resources')
  const { ref } = await stored(deployedTarget(), 'to be kept')
  const rows = () =>
    new DynamoDBClient({}).send(
      new QueryCommand({
        TableName: deployment.ledgerTable,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `${ref.bucketId}/${ref.artifactId}` } },
      }),
    )
  const blobs = () =>
    new S3Client({ forcePathStyle: true }).send(
      new ListObjectsV2Command({ Bucket: deployment.blobBucket, Prefix: `blobs/${ref.bucketId}/` }),
    )
  const before = { rows: (await rows()).Items, blobs: (await blobs()).Contents }
  expect(before.rows).toHaveLength(1)
  expect(before.blobs).toHaveLength(1)

  await destroy({ project: PROJECT, work, env: process.env })

  expect((await get(deployedTarget(), '/v1/health')).status).not.toBe(200)
  expect({ rows: (await rows()).Items, blobs: (await blobs()).Contents }).toEqual(before)
})
