import { readFile } from 'node:fs/promises'
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, test } from 'vitest'
import { createDynamoDbLedger, createDynamoDbLedgerReader } from '../../../lib/aws/dynamodb-ledger.ts'
import { parseVersion } from '../../../lib/domain/identifiers.ts'
import { entryOf, REF } from './fixtures.ts'

const client = new DynamoDBClient({ region: 'eu-west-1', maxAttempts: 1 })
const dynamo = mockClient(client)
const ledger = createDynamoDbLedger({ client, table: 'the-ledger' })
beforeEach(() => dynamo.reset())

const entry = entryOf(Buffer.from('hello'), { uploadedBy: 'trainer-5' })
const key = { pk: { S: 'prod-models/llama_3.8b+lora:x' }, sk: { S: 'v3.1.0+a' } }
const row = {
  ...key,
  format: { N: '1' },
  digest: { S: entry.digest },
  size: { N: '5' },
  content_type: { S: 'application/octet-stream' },
  uploaded_by: { S: 'trainer-5' },
  created_at: { S: '2026-11-23T04:00:00.000Z' },
  commit_id: { S: 'request-1' },
}

function refusedFor(item: Record<string, { S: string } | { N: string }> | undefined) {
  return new ConditionalCheckFailedException({
    $metadata: { httpStatusCode: 400 },
    message: 'The conditional request failed',
    ...(item ? { Item: item } : {}),
  })
}

test('an append is one put that only creates and asks for an existing row', async () => {
  dynamo.on(PutItemCommand).resolves({})
  expect(await ledger.append(entry, 'request-1')).toEqual({ appended: true, entry })
  expect(dynamo.calls()).toHaveLength(1)
  expect(dynamo.commandCalls(PutItemCommand)[0]?.args[0].input).toEqual({
    TableName: 'the-ledger',
    Item: row,
    ConditionExpression: 'attribute_not_exists(pk)',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })
})

test('an append that loses returns the entry of the winner, without another read', async () => {
  const winner = { ...row, digest: { S: `sha256:${'0'.repeat(64)}` }, commit_id: { S: 'request-0' } }
  dynamo.on(PutItemCommand).rejects(refusedFor(winner))
  const result = await ledger.append(entry, 'request-1')
  expect(result).toMatchObject({ appended: false, entry: { digest: winner.digest.S } })
  expect(dynamo.calls()).toHaveLength(1)
})

test('an append of the same bytes by another request loses', async () => {
  dynamo.on(PutItemCommand).rejects(refusedFor({ ...row, commit_id: { S: 'request-0' } }))
  expect((await ledger.append(entry, 'request-1')).appended).toBe(false)
})

test('a retry that finds its own row has appended it', async () => {
  dynamo.on(PutItemCommand).rejects(refusedFor(row))
  expect(await ledger.append(entry, 'request-1')).toEqual({ appended: true, entry })
})

test('two requests that share an id by mistake do not share a success', async () => {
  const other = { ...row, digest: { S: `sha256:${'0'.repeat(64)}` } }
  dynamo.on(PutItemCommand).rejects(refusedFor(other))
  expect((await ledger.append(entry, 'request-1')).appended).toBe(false)
})

test('a refusal without the row leads to one consistent read', async () => {
  dynamo.on(PutItemCommand).rejects(refusedFor(undefined)).on(GetItemCommand).resolves({ Item: row })
  expect(await ledger.append(entry, 'request-1')).toEqual({ appended: true, entry })
  expect(dynamo.commandCalls(GetItemCommand)[0]?.args[0].input).toMatchObject({ ConsistentRead: true })
})

test('find is one consistent read of the exact key', async () => {
  dynamo.on(GetItemCommand).resolves({ Item: row })
  expect(await ledger.find(REF)).toEqual(entry)
  expect(dynamo.calls()).toHaveLength(1)
  expect(dynamo.commandCalls(GetItemCommand)[0]?.args[0].input).toEqual({
    TableName: 'the-ledger',
    Key: key,
    ConsistentRead: true,
  })
})

describe('a process that only reads', () => {
  const reader = createDynamoDbLedgerReader({ client, table: 'the-ledger' })
  const reads = () => dynamo.commandCalls(GetItemCommand).map(({ args: [{ input }] }) => input.ConsistentRead)

  test('takes an entry from an eventually consistent read, because rows never change', async () => {
    dynamo.on(GetItemCommand).resolves({ Item: row })
    expect(await reader.find(REF)).toEqual(entry)
    expect(reads()).toEqual([false])
  })

  test('believes a miss only after a consistent read', async () => {
    dynamo.on(GetItemCommand).resolvesOnce({}).resolvesOnce({ Item: row })
    expect(await reader.find(REF)).toEqual(entry)
    dynamo.on(GetItemCommand).resolves({})
    expect(await reader.find(REF)).toBeUndefined()
    expect(reads()).toEqual([false, true, false, true])
  })
})

test('find returns undefined only if DynamoDB has no item', async () => {
  dynamo.on(GetItemCommand).resolves({})
  expect(await ledger.find(REF)).toBeUndefined()
})

test('a damaged row is an error, never half an entry', async () => {
  const { digest: _, ...broken } = row
  dynamo.on(GetItemCommand).resolves({ Item: broken })
  await expect(ledger.find(REF)).rejects.toThrow('a row of the ledger is damaged: its attribute digest')
})

test('a list is one consistent query that starts after the given version', async () => {
  const after = parseVersion('v3.0')
  if (!after.ok) throw new Error('a version')
  dynamo.on(QueryCommand).resolves({ Items: [row], LastEvaluatedKey: key })
  expect(await ledger.list(REF, after.value, 1)).toEqual({ entries: [entry], next: REF.version })
  expect(dynamo.calls()).toHaveLength(1)
  expect(dynamo.commandCalls(QueryCommand)[0]?.args[0].input).toEqual({
    TableName: 'the-ledger',
    KeyConditionExpression: 'pk = :artifact',
    ExpressionAttributeValues: { ':artifact': key.pk },
    ConsistentRead: true,
    Limit: 1,
    ExclusiveStartKey: { pk: key.pk, sk: { S: 'v3.0' } },
  })
})

test('an empty page ends the list only if DynamoDB returns no key', async () => {
  dynamo.on(QueryCommand).resolvesOnce({ Items: [], LastEvaluatedKey: key }).resolvesOnce({ Items: [] })
  expect(await ledger.list(REF, undefined, 10)).toEqual({ entries: [], next: REF.version })
  expect(await ledger.list(REF, undefined, 10)).toEqual({ entries: [], next: null })
})

test('a health check is one read of a key that no artifact can have', async () => {
  dynamo.on(GetItemCommand).resolves({})
  await ledger.check()
  expect(dynamo.calls()).toHaveLength(1)
  expect(dynamo.commandCalls(GetItemCommand)[0]?.args[0].input.Key).toEqual({
    pk: { S: '-' },
    sk: { S: '-' },
  })
})

test('the ledger has one function that writes and no command that updates or deletes', async () => {
  const source = await readFile(new URL('../../../lib/aws/dynamodb-ledger.ts', import.meta.url), 'utf8')
  expect(source.match(/new PutItemCommand/g)).toHaveLength(1)
  expect(source).not.toMatch(/UpdateItem|DeleteItem|BatchWrite|TransactWrite|PartiQL|ExecuteStatement/)
})
