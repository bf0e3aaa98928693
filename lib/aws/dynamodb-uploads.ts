/**
 * Rows of uploads in a DynamoDB table. A row changes only by compare-and-set on its attempt and revision; one that has expired
 * is still found, because the rules judge that, until DynamoDB's time to live deletes it.
 */
import { randomUUID } from 'node:crypto'
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import { UPLOADS_KEY } from '../deployment/tables.ts'
import type { UploadId } from '../domain/upload.ts'
import type { UploadRecord, Uploads } from '../repository/upload-ports.ts'
import { failed, type LostCondition, lostCondition } from './dynamodb-errors.ts'
import { ATTRIBUTES, recordOf, rowKey, rowOf } from './upload-row.ts'

const ABSENT = { ConditionExpression: `attribute_not_exists(${UPLOADS_KEY.partition})` }

/** The row is still this one. It holds for no row that is gone: a comparison with nothing is false. */
const still = ({ attempt, revision }: UploadRecord) => ({
  ConditionExpression: '#attempt = :attempt AND #revision = :revision',
  ExpressionAttributeNames: { '#attempt': ATTRIBUTES.attempt, '#revision': ATTRIBUTES.revision },
  ExpressionAttributeValues: { ':attempt': { S: attempt }, ':revision': { N: String(revision) } },
})

const RETURN_OLD = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const

export interface UploadsTable {
  readonly client: DynamoDBClient
  readonly table: string
}

export function createDynamoDbUploads({ client, table: TableName }: UploadsTable): Uploads {
  return { find, write, remove }

  async function find(id: UploadId): Promise<UploadRecord | undefined> {
    const { Item } = await client
      .send(new GetItemCommand({ TableName, Key: rowKey(id), ConsistentRead: true }))
      .catch(failed('the upload could not be read'))
    return Item && recordOf(id, Item)
  }

  async function write(next: UploadRecord, previous: UploadRecord | undefined): Promise<boolean> {
    const writeId = randomUUID()
    const condition = previous ? still(previous) : ABSENT
    const lost = await client
      .send(new PutItemCommand({ TableName, Item: rowOf(next, writeId), ...condition, ...RETURN_OLD }))
      .then(() => undefined)
      .catch((error) => lostCondition(error) ?? failed('the upload could not be written')(error))
    return lost === undefined || isOwnWrite(lost, writeId, next, previous)
  }

  async function remove(previous: UploadRecord): Promise<boolean> {
    const condition = still(previous)
    const lost = await client
      .send(new DeleteItemCommand({ TableName, Key: rowKey(previous.id), ...condition, ...RETURN_OLD }))
      .then(() => undefined)
      .catch((error) => lostCondition(error) ?? failed('the upload could not be removed')(error))
    // Gone at a second try of the SDK: the first, of which the answer was lost, removed it.
    return lost === undefined || (lost.item === undefined && lost.tries > 1)
  }
}

/**
 *   this write                     another                      row
 *   ---------------------------------------------------------------------------------------------
 *   put if still revision 1                                     revision 2, ours (the answer is lost)
 *   SDK: put if still revision 1                                "lost" to itself, seen by write_id
 *
 *   put if absent, new attempt                                  revision 1, ours (the answer is lost)
 *                                  put if still revision 1      revision 2 of our attempt
 *   SDK: put if absent                                          no write_id of ours, but nobody else knew our attempt
 */
const isOwnWrite = (
  { item }: LostCondition,
  writeId: string,
  next: UploadRecord,
  previous: UploadRecord | undefined,
): boolean =>
  item !== undefined &&
  (item[ATTRIBUTES.writeId]?.S === writeId ||
    (next.attempt !== previous?.attempt && item[ATTRIBUTES.attempt]?.S === next.attempt))
