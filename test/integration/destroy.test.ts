/** Removing the stack keeps all artifacts and their protection: blobs, ledger, and the policies of both S3 buckets. */
import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import {
  DeleteBucketPolicyCommand,
  GetBucketPolicyCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { stackOutputs } from '../../lib/aws/operator/stack-outputs.ts'
import { get, stored } from '../contract/http/requests.ts'
import { deployedTarget } from './deployed-target.ts'
import { deploy, destroy } from './deployment.ts'
import { PROJECT } from './emulator.ts'
import { given } from './given.ts'

test('cdk destroy keeps blobs, ledger and bucket policies unchanged, and a new stack adopts them', {
  timeout: 600_000,
}, async (context) => {
  const { emulator, work, deployment } = given()
  if (emulator === 'localstack') context.skip('destroy: LocalStack keeps no promise about retained resources')
  const s3 = new S3Client({ forcePathStyle: true })
  const { ref } = await stored(deployedTarget(), 'to be kept')
  // An earlier suite may have pointed the stack at a restored table.
  const ledgerTable = (await stackOutputs('Bucket', {})).get('LedgerTableName')
  const rows = () =>
    new DynamoDBClient({}).send(
      new QueryCommand({
        TableName: ledgerTable,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `${ref.bucketId}/${ref.artifactId}` } },
      }),
    )
  const blobs = () =>
    s3.send(new ListObjectsV2Command({ Bucket: deployment.blobBucket, Prefix: `blobs/${ref.bucketId}/` }))
  /** The ids of the statements. S3 refuses the call for a bucket without a policy. */
  const policyOf = async (Bucket: string) => {
    const { Policy = '' } = await s3.send(new GetBucketPolicyCommand({ Bucket }))
    const { Statement }: { Statement: readonly { Sid: string }[] } = JSON.parse(Policy)
    return Statement.map(({ Sid }) => Sid)
  }
  const kept = async () => ({
    rows: (await rows()).Items,
    blobs: (await blobs()).Contents,
    blobPolicy: await policyOf(deployment.blobBucket),
    stagingPolicy: await policyOf(deployment.stagingBucket),
  })
  const before = await kept()
  expect(before.rows).toHaveLength(1)
  expect(before.blobs).toHaveLength(1)
  expect(before.blobPolicy).toEqual(expect.arrayContaining(['TlsOnly', 'CreateOnly', 'NoDelete']))
  expect(before.stagingPolicy).toContain('TlsOnly')

  await destroy({ project: PROJECT, work, env: process.env })

  expect((await get(deployedTarget(), '/v1/health')).status).not.toBe(200)
  expect(await kept()).toEqual(before)

  // A new stack over the retained data, as in the runbook. CloudFormation creates no policy where there is one.
  await s3.send(new DeleteBucketPolicyCommand({ Bucket: deployment.blobBucket }))
  const settings = [`blobBucketName=${deployment.blobBucket}`, `ledgerTableName=${ledgerTable}`]
  const adopted = await deploy({ project: PROJECT, work, env: process.env, settings })
  expect(adopted).toMatchObject({ blobBucket: deployment.blobBucket, ledgerTable })
  const { href } = new URL(adopted.apiRoot)
  const version = `${href}/buckets/${ref.bucketId}/artifacts/${ref.artifactId}/versions/${ref.version}`
  expect(await (await fetch(version)).text()).toBe('to be kept')
  expect(await policyOf(deployment.blobBucket)).toEqual(before.blobPolicy)
})
