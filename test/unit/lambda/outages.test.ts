/** S3 or DynamoDB fails at each call: the caller's response, and the remaining state. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
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
