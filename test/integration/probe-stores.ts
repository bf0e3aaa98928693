/** Honesty probes of S3 and DynamoDB: the checks that the invariants depend on (docs/emulators.md). */
import { createHash } from 'node:crypto'
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { instead, type Probe, type Sight } from './probe.ts'

const BUCKET = 'honesty-probes'
const GUARDED = 'honesty-probes-guarded'
const TABLE = 'honesty-probes'
const RACERS = 10

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64')

/** The status of an SDK call: 2xx, or that of its refusal. */
async function status(
  call: Promise<{ $metadata: { httpStatusCode?: number | undefined } }>,
): Promise<number> {
  try {
    return (await call).$metadata.httpStatusCode ?? 0
  } catch (error) {
    const metadata = (error as { $metadata?: { httpStatusCode?: number } }).$metadata
    if (metadata?.httpStatusCode === undefined) throw error
    return metadata.httpStatusCode
  }
}

const one = (statuses: readonly number[], refusals: readonly number[]): Sight => {
  const winners = statuses.filter((code) => code === 200).length
  const honest = winners === 1 && statuses.every((code) => code === 200 || refusals.includes(code))
  return honest || instead(statuses.join(', '))
}

export async function storeProbes(endpoint: string): Promise<readonly Probe[]> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const config = { endpoint, region: 'us-east-1', credentials, maxAttempts: 1 }
  const s3 = new S3Client({ ...config, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' })
  const dynamodb = new DynamoDBClient(config)
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  await s3.send(new CreateBucketCommand({ Bucket: GUARDED }))
  await dynamodb.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  )

  const put = (key: string, body: string, more: { ChecksumSHA256?: string; IfNoneMatch?: string } = {}) =>
    status(s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body, ...more })))
  const head = (key: string) => status(s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: key })))
  const presignedPut = (key: string, body: string, signingDate = new Date()) =>
    getSignedUrl(
      s3,
      new PutObjectCommand({
        Bucket: BUCKET,
        Key: key,
        ContentLength: body.length,
        ChecksumSHA256: sha256(body),
        IfNoneMatch: '*',
      }),
      { expiresIn: 60, signingDate, unhoistableHeaders: new Set(['x-amz-checksum-sha256']) },
    )
  const send = async (url: string, promised: string, body: string) => {
    const headers = { 'x-amz-checksum-sha256': sha256(promised), 'if-none-match': '*' }
    const response = await fetch(url, { method: 'PUT', body, headers, signal: AbortSignal.timeout(20_000) })
    await response.arrayBuffer()
    return response.status
  }

  return [
    {
      name: 'put-checksum',
      promise: 'S3 refuses a PUT whose bytes do not have its SHA-256, and keeps nothing of it',
      required: true,
      look: async () => {
        const refused = await put('wrong', 'bytes', { ChecksumSHA256: sha256('others') })
        const left = await head('wrong')
        return (refused === 400 && left === 404) || instead(`${refused}, then HEAD ${left}`)
      },
    },
    {
      name: 'create-only',
      promise: `of ${RACERS} simultaneous create-only PUTs of one key exactly one wins`,
      required: true,
      look: async () => {
        const racers = Array.from({ length: RACERS }, (_, n) =>
          put('race', `racer ${n}`, { IfNoneMatch: '*' }),
        )
        return one(await Promise.all(racers), [409, 412])
      },
    },
    {
      name: 'create-only-multipart',
      promise: 'of two multipart uploads of one key that complete create-only exactly one wins',
      required: true,
      look: async () => {
        const complete = async (body: string) => {
          const target = { Bucket: BUCKET, Key: 'parts' }
          const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target))
          if (UploadId === undefined) throw new Error('no upload id')
          const part = { ...target, UploadId, PartNumber: 1 }
          const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body: body }))
          const MultipartUpload = { Parts: [{ PartNumber: 1, ...(ETag === undefined ? {} : { ETag }) }] }
          return () =>
            status(
              s3.send(
                new CompleteMultipartUploadCommand({
                  ...target,
                  UploadId,
                  MultipartUpload,
                  IfNoneMatch: '*',
                }),
              ),
            )
        }
        const completions = [await complete('first'), await complete('second')]
        return one(await Promise.all(completions.map((race) => race())), [409, 412])
      },
    },
    {
      name: 'presigned-requests',
      promise: 'a presigned PUT takes exactly the signed bytes, in time, and no other',
      required: true,
      look: async () => {
        const url = await presignedPut('signed', 'bytes')
        const old = await presignedPut('signed', 'bytes', new Date(Date.now() - 3_600_000))
        const seen = [
          await send(url, 'bytes', 'bYtes'),
          await send(url, 'others', 'others'),
          await send(
            url.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
            'bytes',
            'bytes',
          ),
          await send(old, 'bytes', 'bytes'),
          await head('signed'),
          await send(url, 'bytes', 'bytes'),
        ].join(', ')
        return seen === '400, 403, 403, 403, 404, 200' || instead(seen)
      },
    },
    {
      name: 'append-once',
      promise: `of ${RACERS} simultaneous conditional puts of one item exactly one wins, and the losers are shown its item`,
      required: true,
      look: async () => {
        const append = async (n: number) => {
          const command = new PutItemCommand({
            TableName: TABLE,
            Item: { pk: { S: 'race' }, writer: { N: String(n) } },
            ConditionExpression: 'attribute_not_exists(pk)',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          })
          try {
            await dynamodb.send(command)
            return { won: true, writer: String(n) }
          } catch (error) {
            const item = (error as { Item?: { writer?: { N?: string } } }).Item
            return { won: false, writer: item?.writer?.N ?? String(error) }
          }
        }
        const results = await Promise.all(Array.from({ length: RACERS }, (_, n) => append(n)))
        const winners = results.filter((result) => result.won)
        const agreed = results.every((result) => result.writer === winners[0]?.writer)
        return (winners.length === 1 && agreed) || instead(JSON.stringify(results))
      },
    },
    {
      name: 'bucket-policy',
      promise: 'a bucket policy that denies deletion, and PUTs that are not create-only, is obeyed',
      required: false,
      look: async () => {
        const target = { Bucket: GUARDED, Key: 'kept' }
        await s3.send(new PutObjectCommand({ ...target, Body: 'bytes' }))
        const deny = (Action: string, Condition?: object) => ({
          Effect: 'Deny',
          Principal: '*',
          Action,
          Resource: `arn:aws:s3:::${GUARDED}/*`,
          ...(Condition ? { Condition } : {}),
        })
        const Statement = [
          deny('s3:DeleteObject'),
          deny('s3:PutObject', { Null: { 's3:if-none-match': 'true' } }),
        ]
        const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
        await s3.send(new PutBucketPolicyCommand({ Bucket: GUARDED, Policy }))
        const deleted = await status(s3.send(new DeleteObjectCommand(target)))
        const overwritten = await status(s3.send(new PutObjectCommand({ ...target, Body: 'other' })))
        return (deleted === 403 && overwritten === 403) || instead(`DELETE ${deleted}, PUT ${overwritten}`)
      },
    },
    {
      name: 'unsigned-reads',
      promise: 'S3 refuses unsigned reads of a private bucket',
      required: false,
      look: async () => {
        await put('private', 'bytes')
        const url = new URL(await getSignedUrl(s3, new GetObjectCommand({ Bucket: BUCKET, Key: 'private' })))
        url.search = ''
        const response = await fetch(url, { signal: AbortSignal.timeout(20_000) })
        await response.arrayBuffer()
        return response.status === 403 || instead(response.status)
      },
    },
  ]
}
