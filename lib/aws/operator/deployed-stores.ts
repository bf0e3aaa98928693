/**
 * All blobs and all entries of a deployment, one page at a time. Operators' tools alone read these: no
 * function calls them, no role of the service may scan the ledger, and `test/infra/roles.test.ts` holds this folder to reading.
 */
import { type DynamoDBClient, ScanCommand, type ScanCommandOutput } from '@aws-sdk/client-dynamodb'
import { ListObjectsV2Command, type ListObjectsV2CommandOutput, type S3Client } from '@aws-sdk/client-s3'
import { BLOB_PREFIX, LEDGER_KEY } from '../../deployment/tables.ts'
import type { Entry } from '../../domain/entry.ts'
import { parseArtifactKey } from '../../domain/refs.ts'
import { failed as ledgerFailed } from '../dynamodb-errors.ts'
import { entryOf } from '../ledger-row.ts'
import type { Row } from '../rows.ts'
import { failed as s3Failed } from '../s3-errors.ts'

/** An object under the prefix of the blobs, as S3 lists it. */
export interface ListedBlob {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly lastModified: Date
}

/** Current versions only: what lies behind a delete marker or a newer version is not listed. In the order of the keys. */
export async function* listBlobs(client: S3Client, bucket: string): AsyncGenerator<ListedBlob> {
  let after: string | undefined
  do {
    const page: ListObjectsV2CommandOutput = await client
      .send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: BLOB_PREFIX,
          ...(after === undefined ? {} : { ContinuationToken: after }),
        }),
      )
      .catch(s3Failed('the blobs could not be listed'))
    for (const { Key, Size, LastModified } of page.Contents ?? [])
      if (Key !== undefined && LastModified !== undefined)
        yield { key: Key, size: Size ?? 0, lastModified: LastModified }
    after = page.NextContinuationToken
  } while (after !== undefined)
}

/** In no order. Consistent: every entry that was answered before the scan began is there. */
export async function* scanLedger(client: DynamoDBClient, table: string): AsyncGenerator<Entry> {
  let after: Row | undefined
  do {
    const page: ScanCommandOutput = await client
      .send(
        new ScanCommand({
          TableName: table,
          ConsistentRead: true,
          ...(after === undefined ? {} : { ExclusiveStartKey: after }),
        }),
      )
      .catch(ledgerFailed('the ledger could not be read'))
    for (const row of page.Items ?? [])
      yield entryOf(parseArtifactKey(row[LEDGER_KEY.partition]?.S ?? ''), row)
    after = page.LastEvaluatedKey
  } while (after !== undefined)
}
