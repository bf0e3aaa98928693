/**
 * The ledger in a DynamoDB table. Invariant I3: an entry is created once and never touched again. IAM cannot forbid a
 * PutItem that overwrites, so `append` is the only function that writes, always under `ABSENT`, and this module imports
 * no command that updates or deletes.
 */
import { type DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { LEDGER_KEY } from '../deployment/tables.ts'
import type { Entry } from '../domain/entry.ts'
import type { ArtifactKey, ArtifactRef, Version } from '../domain/identifiers.ts'
import { formatRef } from '../domain/identifiers.ts'
import type { AppendResult, Ledger, LedgerPage } from '../repository/ports.ts'
import { failed, lostCondition } from './dynamodb-errors.ts'
import { commitIdOf, entryOf, partition, rowKey, rowOf, versionOf } from './ledger-row.ts'
import type { Row } from './rows.ts'

/**
 * No row has this key yet.
 *
 *   A                        B                        table
 *   ------------------------------------------------------------------------
 *   put if ABSENT                                     A's row
 *                            put if ABSENT            A's row: B lost, and gets it back with the refusal (ALL_OLD)
 *   (answer lost)
 *   SDK: put if ABSENT                                A's row: "lost" to itself, seen by commit_id
 *
 * DynamoDB evaluates the condition against the item with the same whole key, so one key attribute stands for the row.
 */
const ABSENT = `attribute_not_exists(${LEDGER_KEY.partition})`
const OF_ARTIFACT = `${LEDGER_KEY.partition} = :artifact`

/** A key that no artifact can have: identifiers begin with a letter or digit. */
const NO_ONE: Row = { [LEDGER_KEY.partition]: { S: '-' }, [LEDGER_KEY.sort]: { S: '-' } }

export interface LedgerTable {
  readonly client: DynamoDBClient
  readonly table: string
}

export function createDynamoDbLedger({ client, table: TableName }: LedgerTable): Ledger {
  return { find, append, list, check }

  async function read(ref: ArtifactRef): Promise<Row | undefined> {
    const { Item } = await client
      .send(new GetItemCommand({ TableName, Key: rowKey(ref), ConsistentRead: true }))
      .catch(failed('the ledger could not be read'))
    return Item
  }

  async function find(ref: ArtifactRef): Promise<Entry | undefined> {
    const row = await read(ref)
    return row && entryOf(ref, row)
  }

  async function append(entry: Entry, commitId: string): Promise<AppendResult> {
    const lost = await client
      .send(
        new PutItemCommand({
          TableName,
          Item: rowOf(entry, commitId),
          ConditionExpression: ABSENT,
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      )
      .then(() => undefined)
      .catch((error) => lostCondition(error) ?? failed('the ledger could not be written')(error))
    if (!lost) return { appended: true, entry }
    const row = lost.item ?? (await read(entry.ref))
    if (!row) throw new Error(`the ledger refused ${formatRef(entry.ref)} for a row that it does not have`)
    const stored = entryOf(entry.ref, row)
    // The digest as well: an id that two requests share by mistake must not give one the other's success.
    const isOwn = commitIdOf(row) === commitId && stored.digest === entry.digest
    return { appended: isOwn, entry: stored }
  }

  /** DynamoDB orders string sort keys by their UTF-8 bytes, which is the order that the contract asks for. */
  async function list(key: ArtifactKey, after: Version | undefined, limit: number): Promise<LedgerPage> {
    const { Items = [], LastEvaluatedKey } = await client
      .send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: OF_ARTIFACT,
          ExpressionAttributeValues: { ':artifact': partition(key) },
          ConsistentRead: true,
          Limit: limit,
          ...(after === undefined ? {} : { ExclusiveStartKey: rowKey({ ...key, version: after }) }),
        }),
      )
      .catch(failed('the ledger could not be listed'))
    return {
      entries: Items.map((row) => entryOf(key, row)),
      next: LastEvaluatedKey ? versionOf(LastEvaluatedKey) : null,
    }
  }

  async function check(): Promise<void> {
    await client
      .send(new GetItemCommand({ TableName, Key: NO_ONE }))
      .catch(failed('the ledger does not answer'))
  }
}
