/**
 * The Lambda bundles as they are deployed: their size, and how long a fresh process takes to load one and answer its first call. The
 * floor of each is a bundle of its AWS SDK clients alone, which makes the same AWS calls. Bundles and floors take turns, and S3, DynamoDB
 * and SQS are the stand-in of the tests.
 */
import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { BUNDLE, handlerEntry } from '../../lib/infra/bundling.ts'
import { startAwsStandIn } from '../support/aws-stand-in.ts'
import { gatewayEvent } from '../support/gateway-event.ts'
import { lambdaEnvironment } from '../support/lambda-environment.ts'

const SIDES = ['read', 'write', 'verify'] as const
type Side = (typeof SIDES)[number]

const bytes = Buffer.from('hello')
const sha256 = createHash('sha256').update(bytes)
const hex = sha256.copy().digest('hex')

/** A client with the limits of ours, so that both resolve the same settings. */
const CLIENTS = `
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
const limits = { maxAttempts: 3, requestHandler: { connectionTimeout: 1000, requestTimeout: 2000, socketTimeout: 6000 } }
const dynamoDb = new DynamoDBClient(limits)
const key = { pk: { S: 'b/floor' }, sk: { S: process.argv[3] } }
const get = () => dynamoDb.send(new GetItemCommand({ TableName: 'ledger', Key: key }))
`
const S3_AND_SQS = `
import { CompleteMultipartUploadCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
const s3 = new S3Client({ ...limits, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' })
const sqs = new SQSClient(limits)
export const unused = () => [s3, sqs, CompleteMultipartUploadCommand, GetObjectCommand, SendMessageCommand]
`
const FLOORS: { readonly [S in Side]: string } = {
  read: `${CLIENTS}
export const handler = get`,
  write: `${CLIENTS}${S3_AND_SQS}
export async function handler() {
  await get()
  await s3.send(new PutObjectCommand({
    Bucket: 'blobs', Key: 'floor/' + process.argv[3], Body: Buffer.from('hello'), IfNoneMatch: '*',
    ChecksumAlgorithm: 'SHA256', ChecksumSHA256: '${sha256.digest('base64')}',
  }))
  await dynamoDb.send(new PutItemCommand({
    TableName: 'ledger', Item: { ...key, digest: { S: '${hex}' } }, ConditionExpression: 'attribute_not_exists(pk)',
  }))
}`,
  verify: `${CLIENTS}${S3_AND_SQS}
export const used = () => PutObjectCommand
export const handler = get`,
}

const headers = { 'X-Artifact-Digest': `sha256:${hex}` }
const parameters = (version: string) => ({ bucket_id: 'b', artifact_id: 'a', version })
/** The arguments of a handler's first call. The verifier gets a message of an upload that has ended, which takes one read. */
const CALLS: { readonly [S in Side]: (version: string) => readonly unknown[] } = {
  read: () => [gatewayEvent({ route: 'fetch', parameters: parameters('stored') })],
  write: (version) => [
    gatewayEvent({ route: 'store', parameters: parameters(version), headers, body: bytes }),
  ],
  verify: () => [
    {
      Records: [
        {
          body: JSON.stringify({ ref: 'b/a/gone', digest: `sha256:${hex}`, attempt: randomUUID() }),
          messageId: '1',
          receiptHandle: '1',
          eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:queue',
          attributes: { ApproximateReceiveCount: '1' },
        },
      ],
    },
  ],
}

/** Loads a bundle, calls its handler once, and reports the milliseconds of both and the processor time of the process so far. */
const PROGRAM = `
const call = JSON.parse(process.argv[4])
const context = { awsRequestId: 'r', getRemainingTimeInMillis: () => 900000 }
const before = process.cpuUsage()
const started = performance.now()
const { handler } = require(process.argv[2])
const loaded = performance.now()
handler(...call, context).then((answer) => {
  const called = performance.now()
  const { user, system } = process.cpuUsage(before)
  if (answer?.statusCode >= 400 || answer?.batchItemFailures?.length) throw new Error(JSON.stringify(answer))
  process.stderr.write(JSON.stringify({ load: loaded - started, call: called - loaded, cpu: (user + system) / 1000 }))
  process.exit(0)
})
`

interface Start {
  readonly load: number
  readonly call: number
  readonly cpu: number
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** @param rounds in each, every bundle and every floor starts once. */
export async function coldStarts(rounds = 21): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bucket-bundles-'))
  const aws = await startAwsStandIn()
  try {
    const program = join(folder, 'program.cjs')
    writeFileSync(program, PROGRAM)
    const outfile = (side: Side, kind: string) => join(folder, `${side}-${kind}.cjs`)
    for (const side of SIDES) {
      const shared = { ...BUNDLE, logLevel: 'error' } as const
      await build({ ...shared, entryPoints: [handlerEntry(side)], outfile: outfile(side, 'handler') })
      const stdin = { contents: FLOORS[side], resolveDir: resolve('.'), loader: 'ts' } as const
      await build({ ...shared, stdin, outfile: outfile(side, 'floor') })
    }
    const start = async (side: Side, kind: string, version: string): Promise<Start> => {
      const args = [program, outfile(side, kind), version, JSON.stringify(CALLS[side](version))]
      const { stderr } = await promisify(execFile)(process.execPath, ['--no-warnings', ...args], {
        env: lambdaEnvironment(aws.url),
      })
      return JSON.parse(stderr)
    }
    await start('write', 'handler', 'stored')
    const starts = new Map<string, Start[]>()
    for (let round = 0; round < rounds; round += 1)
      for (const side of SIDES)
        for (const kind of ['floor', 'handler']) {
          const known = starts.get(`${side} ${kind}`) ?? []
          starts.set(`${side} ${kind}`, [...known, await start(side, kind, `v${round}`)])
        }
    console.log(
      `\nLoad and first call in a fresh process, medians of ${rounds} interleaved rounds, in ms (of processor time in the last columns)\n`,
    )
    console.log(
      '| bundle | KB | load | first call | both | SDK alone | ratio | processor | SDK alone | ratio |',
    )
    console.log('|---|---|---|---|---|---|---|---|---|---|')
    for (const side of SIDES) {
      const of = (kind: string, read: (start: Start) => number) =>
        median((starts.get(`${side} ${kind}`) ?? []).map(read))
      const both = ({ load, call }: Start) => load + call
      const cpu = ({ cpu }: Start) => cpu
      const cells = [
        (statSync(outfile(side, 'handler')).size / 1000).toFixed(0),
        ...[
          of('handler', ({ load }) => load),
          of('handler', ({ call }) => call),
          of('handler', both),
          of('floor', both),
        ].map((value) => value.toFixed(0)),
        (of('handler', both) / of('floor', both)).toFixed(2),
        of('handler', cpu).toFixed(0),
        of('floor', cpu).toFixed(0),
        (of('handler', cpu) / of('floor', cpu)).toFixed(2),
      ]
      console.log(`| ${side} | ${cells.join(' | ')} |`)
    }
  } finally {
    await aws.close()
    rmSync(folder, { recursive: true })
  }
}
