/** How an audit reads a deployment: every page of both stores, consistently. */
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { mockClient } from 'aws-sdk-client-mock'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { rowOf } from '../../../lib/aws/ledger-row.ts'
import { listBlobs, scanLedger } from '../../../lib/aws/operator/deployed-stores.ts'
import type { Entry } from '../../../lib/domain/entry.ts'
import { entryOf } from '../../support/fake-artifacts.ts'

const s3 = mockClient(S3Client)
const dynamoDb = mockClient(DynamoDBClient)
afterEach(() => {
  s3.reset()
  dynamoDb.reset()
})
afterAll(() => {
  s3.restore()
  dynamoDb.restore()
})

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const value of values) found.push(value)
  return found
}

const entry = (ref: string): Entry =>
  entryOf(ref, Buffer.from('a'), { contentType: 'text/plain', provenanceSource: 'run-1' })

describe('the listing of blobs', () => {
  it('has every page, of the prefix of the blobs alone', async () => {
    const lastModified = new Date(0)
    s3.on(ListObjectsV2Command, { Bucket: 'b', Prefix: 'blobs/' })
      .resolves({
        Contents: [{ Key: 'blobs/1', Size: 1, LastModified: lastModified }],
        NextContinuationToken: 'more',
      })
      .on(ListObjectsV2Command, { ContinuationToken: 'more' })
      .resolves({ Contents: [{ Key: 'blobs/2', Size: 0, LastModified: lastModified }] })
    expect(await all(listBlobs(new S3Client({ region: 'us-east-1' }), 'b'))).toEqual([
      { key: 'blobs/1', size: 1, lastModified },
      { key: 'blobs/2', size: 0, lastModified },
    ])
  })

  it('fails as a store that does not answer, never as an empty one', async () => {
    s3.on(ListObjectsV2Command).rejects(Object.assign(new Error('no'), { name: 'AccessDenied' }))
    await expect(all(listBlobs(new S3Client({ region: 'us-east-1' }), 'b'))).rejects.toMatchObject({
      code: 'unavailable',
    })
  })
})

describe('the scan of the ledger', () => {
  it('has every page, empty ones between, and is consistent', async () => {
    const after = { pk: { S: 'b/a' }, sk: { S: 'v1' } }
    dynamoDb
      .on(ScanCommand)
      .resolvesOnce({ Items: [rowOf(entry('b/a/v1'), 'c')], LastEvaluatedKey: after })
      .resolvesOnce({ Items: [], LastEvaluatedKey: after })
      .resolvesOnce({ Items: [rowOf(entry('b/a/v2'), 'c')] })
    const client = new DynamoDBClient({ region: 'us-east-1' })
    expect(await all(scanLedger(client, 't'))).toEqual([entry('b/a/v1'), entry('b/a/v2')])
    const inputs = dynamoDb.commandCalls(ScanCommand).map(({ args }) => args[0].input)
    expect(inputs).toMatchObject([
      { TableName: 't', ConsistentRead: true },
      { ConsistentRead: true, ExclusiveStartKey: after },
      { ConsistentRead: true, ExclusiveStartKey: after },
    ])
  })

  it('fails as a store that does not answer, never as an empty one', async () => {
    dynamoDb.on(ScanCommand).rejects(Object.assign(new Error('no'), { name: 'AccessDeniedException' }))
    const client = new DynamoDBClient({ region: 'us-east-1' })
    await expect(all(scanLedger(client, 't'))).rejects.toMatchObject({ code: 'unavailable' })
  })
})
