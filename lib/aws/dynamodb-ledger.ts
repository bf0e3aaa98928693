/**
 * The ledger in a DynamoDB table. Invariant I3: an entry is created once and never changed. IAM cannot forbid a PutItem that
 * overwrites, so `append` is the only function that writes, always under `ABSENT`, and this module imports no command that
 * updates or deletes.
 */
import { type DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { LEDGER_KEY } from '../deployment/tables.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactKey, ArtifactRef, Version } from '../domain/identifiers.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { AppendResult, Ledger, LedgerPage, LedgerReader } from '../repository/ports.ts'
import { conditionFailure } from './dynamodb-errors.ts'
import { committedEntry, entryOf, partition, rowKey, rowOf, UNUSED_KEY, versionOf } from './ledger-row.ts'
import { failed } from './sdk-failure.ts'

/**
 * No row has this key yet.
 *
 *   A                        B                        table
 *   ------------------------------------------------------------------------
 *   put if ABSENT                                     A's row
 *                            put if ABSENT            A's row: B is refused and gets the row (ALL_OLD)
 *   (response lost)
 *   SDK: put if ABSENT                                A's row: refused because of its own row, seen by commit_id
 *
 * DynamoDB evaluates the condition against the item with the same whole key, so the absence of one key attribute is that of the row.
 */
const ABSENT = `attribute_not_exists(${LEDGER_KEY.partition})`
const OF_ARTIFACT = `${LEDGER_KEY.partition} = :artifact`

export interface LedgerTable {
  readonly client: DynamoDBClient
  readonly table: string
}

const reading = failed('the ledger could not be read')

async function read({ client, table }: LedgerTable, ref: ArtifactRef, consistent: boolean) {
  const command = new GetItemCommand({ TableName: table, Key: rowKey(ref), ConsistentRead: consistent })
  const { Item } = await client.send(command).catch(reading)
  return Item
}

/**
 * The ledger of a process that only reads. Rows never change, so an eventually consistent read that finds a row is final, at half
 * the price; only a miss is repeated as a consistent read.
 */
export function createDynamoDbLedgerReader(table: LedgerTable): LedgerReader {
  return {
    async find(ref) {
      const row = (await read(table, ref, false)) ?? (await read(table, ref, true))
      return row && entryOf(ref, row)
    },
    list: (key, after, limit) => list(table, key, after, limit),
    check: () => check(table),
  }
}

export function createDynamoDbLedger(table: LedgerTable): Ledger {
  return {
    // Writers mostly look for rows that are absent, so an eventually consistent read first would cost them one more.
    async find(ref) {
      const row = await read(table, ref, true)
      return row && entryOf(ref, row)
    },
    append: (entry, commitId) => append(table, entry, commitId),
    list: (key, after, limit) => list(table, key, after, limit),
    check: () => check(table),
  }
}

async function append(table: LedgerTable, entry: Entry, commitId: string): Promise<AppendResult> {
  const command = new PutItemCommand({
    TableName: table.table,
    Item: rowOf(entry, commitId),
    ConditionExpression: ABSENT,
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })
  const refused = await table.client
    .send(command)
    .then(() => undefined)
    .catch((error) => conditionFailure(error) ?? failed('the ledger could not be written')(error))
  if (!refused) return { appended: true, entry }
  const row = refused.item ?? (await read(table, entry.ref, true))
  if (!row)
    throw new Error(`the ledger refused ${formatRef(entry.ref)} because of a row that it does not have`)
  const stored = committedEntry(entry.ref, row)
  // The digest is compared too: two requests that share an id by mistake must not share a success.
  const isOwn = stored.commitId === commitId && stored.entry.digest === entry.digest
  return { appended: isOwn, entry: stored.entry }
}

/** DynamoDB orders string sort keys by their UTF-8 bytes, which is the order that the contract requires. */
async function list(
  { client, table }: LedgerTable,
  key: ArtifactKey,
  after: Version | undefined,
  limit: number,
): Promise<LedgerPage> {
  const command = new QueryCommand({
    TableName: table,
    KeyConditionExpression: OF_ARTIFACT,
    ExpressionAttributeValues: { ':artifact': partition(key) },
    ConsistentRead: true,
    Limit: limit,
    ...(after === undefined ? {} : { ExclusiveStartKey: rowKey({ ...key, version: after }) }),
  })
  const { Items = [], LastEvaluatedKey } = await client
    .send(command)
    .catch(failed('the ledger could not be listed'))
  return {
    entries: Items.map((row) => entryOf(key, row)),
    next: LastEvaluatedKey ? versionOf(LastEvaluatedKey) : null,
  }
}

async function check({ client, table }: LedgerTable): Promise<void> {
  await client
    .send(new GetItemCommand({ TableName: table, Key: UNUSED_KEY }))
    .catch(failed('the ledger does not answer'))
}
