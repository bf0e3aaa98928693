/** Compare-and-set as calls of DynamoDB, and how a retry of the SDK recognizes its own write. */
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
const unchanged = {
  ConditionExpression: '#attempt = :attempt AND #revision = :revision',
  ExpressionAttributeNames: { '#attempt': 'attempt', '#revision': 'revision' },
  ExpressionAttributeValues: { ':attempt': { S: ATTEMPT }, ':revision': { N: '1' } },
}

const refusedFor = (item?: Record<string, AttributeValue>, attempts = 1) =>
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

  test('of a changed row requires its attempt and revision, so it never creates a missing row', async () => {
    dynamo.on(PutItemCommand).resolves({})
    expect(await uploads.write(next, record)).toBe(true)
    expect(lastPut()).toMatchObject({ ...unchanged, Item: { revision: { N: '2' } } })
  })

  test('lets DynamoDB delete the row two days after its expiry, not earlier', async () => {
    dynamo.on(PutItemCommand).resolves({})
    await uploads.write(record, undefined)
    const { ttl, expires_at } = lastPut()?.Item ?? {}
    expect(Number(expires_at?.N)).toBe(record.expiresAt)
    expect(Number(ttl?.N)).toBe(Math.ceil(record.expiresAt / 1000) + 2 * 24 * 3600)
  })

  test('loses against another row', async () => {
    dynamo.on(PutItemCommand).rejects(refusedFor(rowOf({ ...next, attempt: OTHER_ATTEMPT }, 'another write')))
    expect(await uploads.write(next, record)).toBe(false)
  })

  test('loses against another write of the same attempt and revision', async () => {
    dynamo.on(PutItemCommand).rejects(refusedFor(rowOf(next, 'another write')))
    expect(await uploads.write(next, record)).toBe(false)
  })

  test('loses if the row is missing', async () => {
    dynamo.on(PutItemCommand).rejects(refusedFor())
    expect(await uploads.write(next, record)).toBe(false)
  })

  test('succeeds if the row is its own, because the first response was lost', async () => {
    dynamo.on(PutItemCommand).callsFake(({ Item }) => {
      throw refusedFor(Item, 2)
    })
    expect(await uploads.write(next, record)).toBe(true)
  })

  test('of a new attempt succeeds even if the row has changed since: only this write knew the attempt', async () => {
    dynamo.on(PutItemCommand).rejects(refusedFor(rowOf(next, 'another write'), 2))
    expect(await uploads.write(record, undefined)).toBe(true)
    const { id, size, mode, description } = record
    const restarted = openRecord({ id, size, mode, description }, OTHER_ATTEMPT, null, NOW, record)
    dynamo.on(PutItemCommand).rejects(refusedFor(rowOf(changed(restarted, {}), 'another write'), 2))
    expect(await uploads.write(restarted, record)).toBe(true)
  })
})

describe('a removal', () => {
  test('requires attempt and revision', async () => {
    dynamo.on(DeleteItemCommand).resolves({})
    expect(await uploads.remove(record)).toBe(true)
    expect(dynamo.commandCalls(DeleteItemCommand)[0]?.args[0].input).toEqual({
      TableName: 'the-uploads',
      Key: key,
      ...unchanged,
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    })
  })

  test('fails if the row has changed or is missing', async () => {
    dynamo.on(DeleteItemCommand).rejects(refusedFor(rowOf(next, 'another write')))
    expect(await uploads.remove(record)).toBe(false)
    dynamo.on(DeleteItemCommand).rejects(refusedFor())
    expect(await uploads.remove(record)).toBe(false)
  })

  test('succeeds if the response to its first attempt was lost', async () => {
    dynamo.on(DeleteItemCommand).rejects(refusedFor(undefined, 2))
    expect(await uploads.remove(record)).toBe(true)
  })
})

describe('a read', () => {
  test('is consistent and of the exact key', async () => {
    dynamo.on(GetItemCommand).resolves({ Item: rowOf(record, 'a write') })
    expect(await uploads.find(record.id)).toEqual(record)
    expect(dynamo.commandCalls(GetItemCommand)[0]?.args[0].input).toEqual({
      TableName: 'the-uploads',
      Key: key,
      ConsistentRead: true,
    })
  })

  test('returns the failure of an upload with its details', async () => {
    const error = new BucketError('digest_mismatch', 'other bytes', {
      declaredDigest: record.id.digest,
      size: 3,
    })
    const row = failed(record, error)
    dynamo.on(GetItemCommand).resolves({ Item: rowOf(row, 'a write') })
    expect(await uploads.find(record.id)).toEqual(row)
  })

  test.each(['attempt', 'revision', 'mode', 'size', 'state', 'expires_at', 'lease_until'])(
    'of a row without %s is an error, never half an upload',
    async (name) => {
      const { [name]: _, ...broken } = rowOf(record, 'a write')
      dynamo.on(GetItemCommand).resolves({ Item: broken })
      await expect(uploads.find(record.id)).rejects.toThrow(
        `a row of the uploads is damaged: its attribute ${name}`,
      )
    },
  )

  test('of a row with an unknown state is an error', async () => {
    dynamo.on(GetItemCommand).resolves({ Item: { ...rowOf(record, 'a write'), state: { S: 'done' } } })
    await expect(uploads.find(record.id)).rejects.toThrow('its attribute state')
  })
})

test('a table that fails is unavailable, never "absent" or "refused"', async () => {
  dynamo.onAnyCommand().rejects(Object.assign(new Error('no'), { name: 'ThrottlingException' }))
  const unavailable = { code: 'unavailable' }
  await expect(uploads.find(record.id)).rejects.toMatchObject(unavailable)
  await expect(uploads.write(next, record)).rejects.toMatchObject(unavailable)
  await expect(uploads.remove(record)).rejects.toMatchObject(unavailable)
})
