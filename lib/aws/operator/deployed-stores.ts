/**
 * All blobs and all entries of a deployment, one page at a time. Only operators' tools read them: no function calls this module, no
 * role of the service may scan the ledger, and `test/infra/roles.test.ts` checks that this folder only reads.
 */
import { type DynamoDBClient, ScanCommand, type ScanCommandOutput } from '@aws-sdk/client-dynamodb'
import {
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { BLOB_PREFIX, LEDGER_KEY } from '../../deployment/tables.ts'
import type { Description } from '../../domain/description.ts'
import { base64ToHex } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { parseArtifactKey } from '../../domain/refs.ts'
import { decodeMetadata } from '../blob-metadata.ts'
import { DIGEST_METADATA_KEY } from '../blob-object.ts'
import { entryOf } from '../ledger-row.ts'
import type { Row } from '../rows.ts'
import { failed } from '../sdk-failure.ts'

/** An object under the prefix of the blobs, as S3 lists it. */
export interface ListedBlob {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly lastModified: Date
}

/** The statements of a blob's object about its artifact. */
export interface InspectedBlob {
  /** The SHA-256 that S3 or our own writers vouch for, in hex; undefined if neither does. */
  readonly attestedHex: string | undefined
  readonly description: Description
  /** RFC 3339; undefined if S3's own time is the best known. */
  readonly storedAt: string | undefined
}

export async function inspectBlob(client: S3Client, bucket: string, key: string): Promise<InspectedBlob> {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' })
  const head = await client.send(command).catch(failed('a blob could not be inspected'))
  const { Metadata = {} } = head
  const isWhole = head.ChecksumType === 'FULL_OBJECT' && head.ChecksumSHA256 !== undefined
  return {
    attestedHex: isWhole ? base64ToHex(head.ChecksumSHA256 ?? '') : Metadata[DIGEST_METADATA_KEY],
    ...decodeMetadata(head.ContentType, Metadata),
  }
}

/** Lists current versions only, in the order of the keys: objects with a delete marker, and older versions, are left out. */
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
      .catch(failed('the blobs could not be listed'))
    for (const { Key, Size, LastModified } of page.Contents ?? [])
      if (Key !== undefined && LastModified !== undefined)
        yield { key: Key, size: Size ?? 0, lastModified: LastModified }
    after = page.NextContinuationToken
  } while (after !== undefined)
}

/** In no order. Consistent: every entry whose append resolved before the scan started is there. */
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
      .catch(failed('the ledger could not be read'))
    for (const row of page.Items ?? [])
      yield entryOf(parseArtifactKey(row[LEDGER_KEY.partition]?.S ?? ''), row)
    after = page.LastEvaluatedKey
  } while (after !== undefined)
}
