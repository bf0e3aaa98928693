/** S3 or DynamoDB fails at each call: the caller's response, and the remaining state. */
import { createHash } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { HEADERS } from '../../../lib/protocol/headers.ts'
import type { Misbehaviour } from '../../support/aws-stand-in.ts'
import type { GatewayRequest } from '../../support/gateway-event.ts'
import { useLambdas } from './lambdas.ts'

const lambdas = useLambdas()
const parameters = { bucket_id: 'b', artifact_id: 'a', version: 'v1' }
const bytes = Buffer.from('hello')
const store: GatewayRequest = {
  route: 'store',
  parameters,
  headers: { [HEADERS.artifactDigest]: `sha256:${createHash('sha256').update(bytes).digest('hex')}` },
  body: bytes,
}

const HOW: [string, Misbehaviour][] = [
  ['breaks', { status: 500, code: 'InternalError' }],
  ['throttles', { status: 400, code: 'ThrottlingException' }],
  ['refuses', { status: 403, code: 'AccessDenied' }],
  ['cuts the connection', 'drop'],
]

async function expectUnavailable(request: GatewayRequest) {
  const { statusCode, headers, body } = await lambdas.send(request)
  expect(statusCode).toBe(503)
  expect(Number(headers?.['Retry-After'])).toBeGreaterThan(0)
  expect(JSON.parse(body)).toMatchObject({ code: 'unavailable', retryable: true })
  expect(body).not.toMatch(/AccessDenied|InternalError|127\.0\.0\.1/)
}

async function expectInvisible() {
  const { statusCode } = await lambdas.send({ route: 'entry', parameters })
  expect(statusCode).toBe(404)
}

describe.each(['GetItem', 'PutObject', 'PutItem'] as const)('a store whose %s', (operation) => {
  test.each(HOW)('%s is unavailable and invisible, and succeeds when it is repeated', async (_, how) => {
    lambdas.aws.misbehave(operation, how)
    await expectUnavailable(store)
    lambdas.aws.misbehave(operation, how, 0)
    await expectInvisible()
    expect((await lambdas.send(store)).statusCode).toBe(201)
  })

  test('loses its response once is retried and succeeds', async () => {
    lambdas.aws.misbehave(operation, 'lose-answer', 1)
    expect((await lambdas.send(store)).statusCode).toBe(201)
    expect(lambdas.aws.rows.size).toBe(1)
    expect(lambdas.aws.objects.size).toBe(1)
  })
})

const list: GatewayRequest = { route: 'listVersions', parameters: { bucket_id: 'b', artifact_id: 'a' } }

describe('reads are unavailable, never "not found"', () => {
  test.each(HOW)('when the ledger %s', async (_, how) => {
    lambdas.aws.misbehave('GetItem', how)
    lambdas.aws.misbehave('Query', how)
    const reads: GatewayRequest[] = [
      list,
      { route: 'health' },
      ...(['fetch', 'entry', 'download'] as const).map((route) => ({ route, parameters })),
    ]
    await Promise.all(reads.map(expectUnavailable))
  })
})

describe('the operator learns which store failed', () => {
  const lines: Record<string, unknown>[] = []
  const errorOf = async (request: GatewayRequest) => {
    vi.mocked(process.stdout.write).mockImplementation((line) => lines.push(JSON.parse(String(line))) > 0)
    const { body } = await lambdas.send(request)
    vi.mocked(process.stdout.write).mockReturnValue(true)
    return { detail: JSON.parse(body).detail, error: lines.at(-1)?.error }
  }

  test('health names the store, and its log line the table', async () => {
    lambdas.aws.misbehave('GetItem', { status: 400, code: 'ResourceNotFoundException' })
    expect(await errorOf({ route: 'health' })).toEqual({
      detail: 'the ledger does not respond as it should',
      error: expect.stringMatching(/^ledger: .*\(table ledger\)$/),
    })
  })

  test('a store names the S3 bucket in its log line only', async () => {
    lambdas.aws.misbehave('PutObject', { status: 404, code: 'NoSuchBucket' })
    expect(await errorOf(store)).toEqual({
      detail: 'the blob could not be written: the service refused the call',
      error: expect.stringMatching(/\(S3 bucket blobs\)$/),
    })
  })

  test('the state of an upload names the S3 bucket that the read side asks without a client', async () => {
    const upload = { parameters: { ...parameters, digest: String(store.headers?.[HEADERS.artifactDigest]) } }
    const body = Buffer.from(JSON.stringify({ size: bytes.byteLength, mode: 'multipart' }))
    const headers = { 'Content-Type': 'application/json' }
    await lambdas.send({ route: 'beginUpload', ...upload, headers, body })
    lambdas.aws.misbehave('ListParts', { status: 403, code: 'AccessDenied' })
    expect((await errorOf({ route: 'uploadState', ...upload })).error).toMatch(/\(S3 bucket staging\)$/)
  })
})

test('reads work while S3 is down', async () => {
  await lambdas.send(store)
  for (const operation of ['PutObject', 'GetObject', 'HeadObject'] as const)
    lambdas.aws.misbehave(operation, 'drop')
  expect((await lambdas.send({ route: 'fetch', parameters })).statusCode).toBe(307)
  expect((await lambdas.send({ route: 'health' })).statusCode).toBe(200)
})

test('a store is unavailable if the name is taken and the blob cannot be inspected', async () => {
  lambdas.aws.misbehave('PutObject', 'lose-answer', 1)
  lambdas.aws.misbehave('HeadObject', { status: 403, code: 'Forbidden' })
  await expectUnavailable(store)
  lambdas.aws.misbehave('HeadObject', 'drop', 0)
  await expectInvisible()
})
