/**
 * Rows of uploads in a DynamoDB table. A row changes only by compare-and-set on its attempt and revision. An expired row is still
 * found, because the rules judge expiry, until DynamoDB's time to live deletes it.
 */
import { randomUUID } from 'node:crypto'
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import { UPLOADS_KEY } from '../deployment/tables.ts'
import type { HealthCheck } from '../repository/ports.ts'
import type { UploadRecord, Uploads, UploadsReader } from '../repository/upload-ports.ts'
import { type ConditionFailure, conditionFailure } from './dynamodb-errors.ts'
import { failed } from './sdk-failure.ts'
import { ATTEMPT, REVISION, recordOf, rowKey, rowOf, UNUSED_KEY, WRITE_ID } from './upload-row.ts'

const ABSENT = { ConditionExpression: `attribute_not_exists(${UPLOADS_KEY.partition})` }

/** The row is unchanged. Also fails if the item no longer exists: comparing a missing attribute is false. */
const unchanged = ({ attempt, revision }: UploadRecord) => ({
  ConditionExpression: '#attempt = :attempt AND #revision = :revision',
  ExpressionAttributeNames: { '#attempt': ATTEMPT, '#revision': REVISION },
  ExpressionAttributeValues: { ':attempt': { S: attempt }, ':revision': { N: String(revision) } },
})

const RETURN_OLD = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const

export interface UploadsTable {
  readonly client: DynamoDBClient
  readonly table: string
}

/** The rows as a process sees them that only reads: the read function, which loads none of the writing commands. */
export const createDynamoDbUploadsReader = ({
  client,
  table: TableName,
}: UploadsTable): UploadsReader & HealthCheck => ({
  async check() {
    await client
      .send(new GetItemCommand({ TableName, Key: UNUSED_KEY }))
      .catch(failed('the uploads do not answer'))
  },
  async find(id) {
    const { Item } = await client
      .send(new GetItemCommand({ TableName, Key: rowKey(id), ConsistentRead: true }))
      .catch(failed('the upload could not be read'))
    return Item && recordOf(id, Item)
  },
})

export function createDynamoDbUploads(uploads: UploadsTable): Uploads & HealthCheck {
  const { client, table: TableName } = uploads
  return { ...createDynamoDbUploadsReader(uploads), write, remove }

  async function write(next: UploadRecord, previous: UploadRecord | undefined): Promise<boolean> {
    const writeId = randomUUID()
    const condition = previous ? unchanged(previous) : ABSENT
    const refused = await client
      .send(new PutItemCommand({ TableName, Item: rowOf(next, writeId), ...condition, ...RETURN_OLD }))
      .then(() => undefined)
      .catch((error) => conditionFailure(error) ?? failed('the upload could not be written')(error))
    return refused === undefined || isOwnWrite(refused, writeId, next, previous)
  }

  async function remove(previous: UploadRecord): Promise<boolean> {
    const condition = unchanged(previous)
    const refused = await client
      .send(new DeleteItemCommand({ TableName, Key: rowKey(previous.id), ...condition, ...RETURN_OLD }))
      .then(() => undefined)
      .catch((error) => conditionFailure(error) ?? failed('the upload could not be removed')(error))
    // Absent at a second attempt of the SDK: the first, whose response was lost, removed it.
    return refused === undefined || (refused.item === undefined && refused.attempts > 1)
  }
}

/**
 *   this write                     another                      row
 *   ---------------------------------------------------------------------------------------------
 *   put if revision 1                                           revision 2, ours (response lost)
 *   SDK: put if revision 1                                      refused because of its own row, seen by write_id
 *
 *   put if absent, new attempt                                  revision 1, ours (response lost)
 *                                  put if revision 1            revision 2 of our attempt
 *   SDK: put if absent                                          not our write_id, but only we knew the attempt
 */
const isOwnWrite = (
  { item }: ConditionFailure,
  writeId: string,
  next: UploadRecord,
  previous: UploadRecord | undefined,
): boolean =>
  item !== undefined &&
  (item[WRITE_ID]?.S === writeId || (next.attempt !== previous?.attempt && item[ATTEMPT]?.S === next.attempt))
