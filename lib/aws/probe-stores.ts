/**
 * Asks S3, DynamoDB and SQS, before a server starts, for everything that the invariants need: an engine that accepts a wrong digest
 * or a second object would break them silently. The checks use scratch keys in the staging bucket and a scratch row in the
 * uploads table, and remove them.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { STAGING_PREFIX, UPLOADS_KEY } from '../deployment/tables.ts'
import { conditionFailure } from './dynamodb-errors.ts'
import * as ledgerRow from './ledger-row.ts'
import type { Row } from './rows.ts'
import { hasStatus } from './s3-errors.ts'
import { presign } from './s3-presign.ts'
import * as uploadRow from './upload-row.ts'

export interface ProbedStores {
  readonly s3: S3Client
  readonly endpoint: string | undefined
  readonly blobBucket: string
  readonly stagingBucket: string
  readonly dynamoDb: DynamoDBClient
  readonly ledgerTable: string
  readonly uploadsTable: string
  readonly queue: { readonly client: SQSClient; readonly url: string } | undefined
}

export interface ProbeResult {
  /** What the store must do: `S3 refuses a wrong SHA-256`. */
  readonly need: string
  /** Why it is not met; null if it is. */
  readonly problem: string | null
}

/** How long a presigned request of a check may take, in milliseconds. */
const SEND_MS = 10_000

/** @returns all results. The checks of a store that cannot be used are left out: the first result about it says why. */
export async function probeStores(stores: ProbedStores): Promise<readonly ProbeResult[]> {
  const { s3, blobBucket, stagingBucket, ledgerTable, uploadsTable, queue } = stores
  const bucket = (name: string) =>
    ask(`S3 bucket ${name} can be used`, async () => {
      await s3.send(new HeadBucketCommand({ Bucket: name }))
      return null
    })
  const table = (name: string, Key: Row) =>
    ask(`DynamoDB table ${name} can be used`, async () => {
      await stores.dynamoDb.send(new GetItemCommand({ TableName: name, Key, ConsistentRead: true }))
      return null
    })
  const [blobs, staging, ledger, uploads] = await Promise.all([
    bucket(blobBucket),
    bucket(stagingBucket),
    table(ledgerTable, ledgerRow.UNUSED_KEY),
    table(uploadsTable, uploadRow.UNUSED_KEY),
  ])
  return [
    blobs,
    staging,
    ledger,
    uploads,
    ...(queue ? [await probeQueue(queue)] : []),
    ...(staging.problem === null ? await probeS3(stores) : []),
    ...(uploads.problem === null ? [await probeConditionalPut(stores)] : []),
  ]
}

const probeQueue = ({ client, url }: NonNullable<ProbedStores['queue']>) =>
  ask(`SQS queue ${url} can be used`, async () => {
    await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }))
    return null
  })

const BYTES = Buffer.from('probe')
const OTHER_BYTES = Buffer.from('other')
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64')

async function probeS3(stores: ProbedStores): Promise<readonly ProbeResult[]> {
  const { s3: client, stagingBucket: Bucket } = stores
  const Key = `${STAGING_PREFIX}probe/${randomUUID()}`
  const at = { Bucket, Key }
  const put = (body: Buffer, digest: string) =>
    client.send(
      new PutObjectCommand({
        ...at,
        Body: body,
        ChecksumAlgorithm: 'SHA256',
        ChecksumSHA256: digest,
        IfNoneMatch: '*',
      }),
    )
  try {
    return [
      await ask('S3 refuses a PUT with a wrong SHA-256', () =>
        refuses(() => put(OTHER_BYTES, sha256(BYTES)), [400], 'it stored other bytes than the SHA-256 says'),
      ),
      await ask('S3 refuses a second create-only PUT', async () => {
        await put(BYTES, sha256(BYTES))
        return refuses(() => put(BYTES, sha256(BYTES)), [412], 'it replaced an object')
      }),
      await ask('S3 reports the SHA-256 of an object', async () => {
        const head = await client.send(new HeadObjectCommand({ ...at, ChecksumMode: 'ENABLED' }))
        const isReported = head.ChecksumSHA256 === sha256(BYTES) && head.ChecksumType === 'FULL_OBJECT'
        return isReported ? null : 'HEAD does not return it as a checksum of the full object'
      }),
      ...(await probeMultipart(client, at)),
      await ask('S3 refuses presigned PUTs that were changed', () =>
        probePresigned(stores, `${Key}-presigned`),
      ),
    ]
  } finally {
    for (const key of [Key, `${Key}-presigned`])
      await client.send(new DeleteObjectCommand({ Bucket, Key: key })).catch(() => undefined) // it expires
  }
}

/** @param at an object that exists. */
async function probeMultipart(
  client: S3Client,
  at: { readonly Bucket: string; readonly Key: string },
): Promise<readonly ProbeResult[]> {
  let upload: { Bucket: string; Key: string; UploadId: string | undefined } | undefined
  let part: { PartNumber: number; ETag?: string | undefined; ChecksumSHA256: string } | undefined
  const listed = await ask('S3 lists the SHA-256 of parts', async () => {
    const created = await client.send(
      new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'SHA256' }),
    )
    upload = { ...at, UploadId: created.UploadId }
    const sent = { PartNumber: 1, ChecksumSHA256: sha256(BYTES) }
    const { ETag } = await client.send(
      new UploadPartCommand({ ...upload, ...sent, ChecksumAlgorithm: 'SHA256', Body: BYTES }),
    )
    part = { ...sent, ETag }
    const { Parts = [] } = await client.send(new ListPartsCommand(upload))
    return Parts[0]?.ChecksumSHA256 === sent.ChecksumSHA256 ? null : 'ListParts does not return it'
  })
  const completed = await ask('S3 refuses a create-only Complete of an existing object', async () => {
    if (!upload || !part) return 'not checked, because the upload could not be prepared'
    const command = new CompleteMultipartUploadCommand({
      ...upload,
      MultipartUpload: { Parts: [part] },
      IfNoneMatch: '*',
    })
    return refuses(() => client.send(command), [412], 'it replaced an object')
  })
  if (upload) await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined) // it expires
  return [listed, completed]
}

async function probePresigned(
  { s3, stagingBucket: bucket, endpoint }: ProbedStores,
  key: string,
): Promise<string | null> {
  const headers = {
    'content-length': String(BYTES.byteLength),
    'if-none-match': '*',
    'x-amz-checksum-sha256': sha256(BYTES),
  }
  const { url } = await presign(
    { bucket, endpoint, signing: s3.config },
    { method: 'PUT', key, query: { 'x-id': 'PutObject' }, headers },
    60,
  )
  const send = async (to: string, body: Buffer) => {
    const signal = AbortSignal.timeout(SEND_MS)
    const response = await fetch(to, { method: 'PUT', headers, body: new Uint8Array(body), signal })
    await response.arrayBuffer()
    return response.status
  }
  const forged = url.replace(
    /(X-Amz-Signature=)(.)/,
    (_, name, first) => `${name}${first === '0' ? '1' : '0'}`,
  )
  if ((await send(forged, BYTES)) < 400) return 'it accepted a wrong signature'
  if ((await send(url, OTHER_BYTES)) < 400) return 'it accepted other bytes than the signed SHA-256 says'
  const status = await send(url, BYTES)
  return status === 200 ? null : `it answered ${status} to a correct one`
}

async function probeConditionalPut({ dynamoDb, uploadsTable }: ProbedStores): Promise<ProbeResult> {
  const Key = {
    [UPLOADS_KEY.partition]: { S: `-probe-${randomUUID()}` },
    [UPLOADS_KEY.sort]: { S: '-' },
  }
  const put = new PutItemCommand({
    TableName: uploadsTable,
    Item: Key,
    ConditionExpression: `attribute_not_exists(${UPLOADS_KEY.partition})`,
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })
  return ask('DynamoDB refuses a conditional put of an existing row', async () => {
    await dynamoDb.send(put)
    try {
      await dynamoDb.send(put)
      return 'it replaced a row'
    } catch (error) {
      const refused = conditionFailure(error)
      if (!refused) throw error
      return refused.item ? null : 'it does not return the existing row (ALL_OLD)'
    } finally {
      await dynamoDb.send(new DeleteItemCommand({ TableName: uploadsTable, Key })).catch(() => undefined)
    }
  })
}

/** @param check returns the problem; an error that it throws is a problem, too. */
async function ask(need: string, check: () => Promise<string | null>): Promise<ProbeResult> {
  try {
    return { need, problem: await check() }
  } catch (error) {
    return { need, problem: describeError(error) }
  }
}

/** Makes a call that must be refused with one of these statuses. @returns the problem if it is not refused. */
async function refuses(
  call: () => Promise<unknown>,
  statuses: readonly number[],
  otherwise: string,
): Promise<string | null> {
  try {
    await call()
    return otherwise
  } catch (error) {
    if (statuses.some((status) => hasStatus(error, status))) return null
    throw error
  }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (hasStatus(error, 404) || error.name === 'ResourceNotFoundException')
    return `it does not exist (${error.name})`
  if (hasStatus(error, 403) || error.name === 'AccessDeniedException')
    return `access denied (${error.name}): check the credentials and their permissions`
  const code = 'code' in error ? `${String(error.code)} ` : ''
  return `${code}${error.name}: ${error.message}`
}
