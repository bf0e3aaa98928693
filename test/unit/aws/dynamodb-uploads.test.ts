/** What compare-and-set means in calls of DynamoDB, and how a retry of the SDK knows its own write. */
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, test } from 'vitest'
import { createDynamoDbUploads } from '../../../lib/aws/dynamodb-uploads.ts'
import { rowOf } from '../../../lib/aws/upload-row.ts'
import { BucketError } from '../../../lib/domain/errors.ts'
import { changed, failed, openRecord } from '../../../lib/repository/upload-record.ts'
import { ATTEMPT, NOW, OTHER_ATTEMPT, uploadOf } from './uploads-fixtures.ts'

const client = new DynamoDBClient({ region: 'eu-west-1', maxAttempts: 1 })
const dynamo = mockClient(client)
const uploads = createDynamoDbUploads({ client, table: 'the-uploads' })
beforeEach(() => dynamo.reset())

const record = uploadOf(Buffer.from('hello'))
const next = changed(record, { verifiedBytes: 3 })
const key = { pk: { S: 'prod-models/llama_3.8b+lora:x/v3.1.0+a' }, sk: { S: record.id.digest } }
const isStill = {
  ConditionExpression: '#attempt = :attempt AND #revision = :revision',
  ExpressionAttributeNames: { '#attempt': 'attempt', '#revision': 'revision' },
  ExpressionAttributeValues: { ':attempt': { S: ATTEMPT }, ':revision': { N: '1' } },
}

const lost = (item?: Record<string, AttributeValue>, attempts = 1) =>
  new ConditionalCheckFailedException({
    $metadata: { httpStatusCode: 400, attempts },
    message: 'The conditional request failed',
    ...(item ? { Item: item } : {}),
  })
const lastPut = () => dynamo.commandCalls(PutItemCommand).at(-1)?.args[0].input

describe('a write', () => {
  test('of a new row is one put that only creates', async () => {
    dynamo.on(PutItemCommand).resolves({})
    expect(await uploads.write(record, undefined)).toBe(true)
    expect(dynamo.calls()).toHaveLength(1)
    expect(lastPut()).toMatchObject({
      TableName: 'the-uploads',
      Item: { ...key, attempt: { S: ATTEMPT }, revision: { N: '1' }, state: { S: 'open' } },
      ConditionExpression: 'attribute_not_exists(pk)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    })
  })

  test('of a changed row demands attempt and revision, and so never creates one that is gone', async () => {
    dynamo.on(PutItemCommand).resolves({})
    expect(await uploads.write(next, record)).toBe(true)
    expect(lastPut()).toMatchObject({ ...isStill, Item: { revision: { N: '2' } } })
  })

  test('lets DynamoDB delete the row two days after it has expired, and never before', async () => {
    dynamo.on(PutItemCommand).resolves({})
    await uploads.write(record, undefined)
    const { ttl, expires_at } = lastPut()?.Item ?? {}
    expect(Number(expires_at?.N)).toBe(record.expiresAt)
    expect(Number(ttl?.N)).toBe(Math.ceil(record.expiresAt / 1000) + 2 * 24 * 3600)
  })

  test('that meets another row has lost', async () => {
    dynamo.on(PutItemCommand).rejects(lost(rowOf({ ...next, attempt: OTHER_ATTEMPT }, 'another write')))
    expect(await uploads.write(next, record)).toBe(false)
  })

  test('of the same revision by another has lost, though attempt and revision are those of this one', async () => {
    dynamo.on(PutItemCommand).rejects(lost(rowOf(next, 'another write')))
    expect(await uploads.write(next, record)).toBe(false)
  })

  test('that meets no row has lost', async () => {
    dynamo.on(PutItemCommand).rejects(lost())
    expect(await uploads.write(next, record)).toBe(false)
  })

  test('that meets itself, because the answer of its first try was lost, has won', async () => {
    dynamo.on(PutItemCommand).callsFake(({ Item }) => {
      throw lost(Item, 2)
    })
    expect(await uploads.write(next, record)).toBe(true)
  })

  test('of a new attempt that another has changed since has won: nobody else knew the attempt', async () => {
    dynamo.on(PutItemCommand).rejects(lost(rowOf(next, 'another write'), 2))
    expect(await uploads.write(record, undefined)).toBe(true)
    const { id, size, mode, description } = record
    const anew = openRecord({ id, size, mode, description }, OTHER_ATTEMPT, null, NOW, record)
    dynamo.on(PutItemCommand).rejects(lost(rowOf(changed(anew, {}), 'another write'), 2))
    expect(await uploads.write(anew, record)).toBe(true)
  })
})

describe('a removal', () => {
  test('demands attempt and revision', async () => {
    dynamo.on(DeleteItemCommand).resolves({})
    expect(await uploads.remove(record)).toBe(true)
    expect(dynamo.commandCalls(DeleteItemCommand)[0]?.args[0].input).toEqual({
      TableName: 'the-uploads',
      Key: key,
      ...isStill,
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    })
  })

  test('of a row that has changed, or is gone, is none', async () => {
    dynamo.on(DeleteItemCommand).rejects(lost(rowOf(next, 'another write')))
    expect(await uploads.remove(record)).toBe(false)
    dynamo.on(DeleteItemCommand).rejects(lost())
    expect(await uploads.remove(record)).toBe(false)
  })

  test('whose first try lost its answer has removed it', async () => {
    dynamo.on(DeleteItemCommand).rejects(lost(undefined, 2))
    expect(await uploads.remove(record)).toBe(true)
  })
})

describe('a read', () => {
  test('is consistent, and of the exact key', async () => {
    dynamo.on(GetItemCommand).resolves({ Item: rowOf(record, 'a write') })
    expect(await uploads.find(record.id)).toEqual(record)
    expect(dynamo.commandCalls(GetItemCommand)[0]?.args[0].input).toEqual({
      TableName: 'the-uploads',
      Key: key,
      ConsistentRead: true,
    })
  })

  test('gives a problem back with its members', async () => {
    const error = new BucketError('digest_mismatch', 'other bytes', {
      declaredDigest: record.id.digest,
      size: 3,
    })
    const row = failed(record, error)
    dynamo.on(GetItemCommand).resolves({ Item: rowOf(row, 'a write') })
    expect(await uploads.find(record.id)).toEqual(row)
  })

  test.each(['attempt', 'revision', 'mode', 'size', 'state', 'expires_at', 'lease_until'])(
    'of a row without %s is a fault, never half an upload',
    async (name) => {
      const { [name]: _, ...broken } = rowOf(record, 'a write')
      dynamo.on(GetItemCommand).resolves({ Item: broken })
      await expect(uploads.find(record.id)).rejects.toThrow(`a row of the uploads has no ${name}`)
    },
  )

  test('of a state that is none is a fault', async () => {
    dynamo.on(GetItemCommand).resolves({ Item: { ...rowOf(record, 'a write'), state: { S: 'done' } } })
    await expect(uploads.find(record.id)).rejects.toThrow('has no state')
  })
})

test('a table that fails is unavailable, never "absent" or "lost"', async () => {
  dynamo.onAnyCommand().rejects(Object.assign(new Error('no'), { name: 'ThrottlingException' }))
  const unavailable = { code: 'unavailable' }
  await expect(uploads.find(record.id)).rejects.toMatchObject(unavailable)
  await expect(uploads.write(next, record)).rejects.toMatchObject(unavailable)
  await expect(uploads.remove(record)).rejects.toMatchObject(unavailable)
})
