/** The AWS calls of each request: the documented prices are computed from them. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { HEADERS } from '../../../lib/protocol/headers.ts'
import type { GatewayRequest } from '../../support/gateway-event.ts'
import { useLambdas } from './lambdas.ts'

const lambdas = useLambdas()
const parameters = { bucket_id: 'b', artifact_id: 'a', version: 'v1' }
const bytes = Buffer.from('hello')
const digest = (body: Uint8Array) => `sha256:${createHash('sha256').update(body).digest('hex')}`
const store = (body: Uint8Array = bytes, declared = digest(body)): GatewayRequest => ({
  route: 'store',
  parameters,
  headers: { [HEADERS.artifactDigest]: declared },
  body,
})

async function callsOf(request: GatewayRequest) {
  lambdas.aws.calls.length = 0
  const { statusCode } = await lambdas.send(request)
  return { statusCode, calls: lambdas.aws.operations() }
}

test('a store is one read, one PUT of the blob and one conditional put', async () => {
  expect(await callsOf(store())).toEqual({ statusCode: 201, calls: ['GetItem', 'PutObject', 'PutItem'] })
  const [read, , put] = lambdas.aws.calls
  expect(read?.input.ConsistentRead).toBe(true)
  expect(put?.input.ConditionExpression).toBe('attribute_not_exists(pk)')
})

test.each([
  ['the same bytes is one read, and one HEAD that the blob is still there', bytes, ['HeadObject']],
  ['other bytes is one read without a call of S3', Buffer.from('other'), []],
])('a conflict with %s; no orphan is left', async (_, body, more) => {
  await lambdas.send(store())
  expect(await callsOf(store(body))).toEqual({ statusCode: 409, calls: ['GetItem', ...more] })
  expect(lambdas.aws.objects.size).toBe(1)
})

test('a lost blob is put back, and the ledger is not written', async () => {
  await lambdas.send(store())
  lambdas.aws.objects.clear()
  expect(await callsOf(store())).toEqual({
    statusCode: 200,
    calls: ['GetItem', 'HeadObject', 'PutObject', 'HeadObject'],
  })
  expect(lambdas.aws.objects.size).toBe(1)
})

test('a blob that was cut short is not overwritten, and not called stored', async () => {
  await lambdas.send(store())
  for (const object of lambdas.aws.objects.values()) object.bytes = object.bytes.subarray(1)
  const { statusCode, body = '' } = await lambdas.send(store())
  expect([statusCode, JSON.parse(body)]).toMatchObject([500, { code: 'blob_lost', retryable: false }])
})

test('a digest mismatch is one read, and no byte is sent to S3', async () => {
  expect(await callsOf(store(Buffer.from('other'), digest(bytes)))).toEqual({
    statusCode: 400,
    calls: ['GetItem'],
  })
})

test('a malformed request makes no call', async () => {
  expect(await callsOf(store(bytes, 'md5:1'))).toEqual({ statusCode: 400, calls: [] })
})

describe.each(['fetch', 'entry', 'download', 'head'] as const)(
  '%s makes no call of S3, and reads the ledger',
  (route) => {
    test('once, eventually consistent, for a stored version', async () => {
      await lambdas.send(store())
      const { statusCode, calls } = await callsOf({ route, parameters })
      expect(calls).toEqual(['GetItem'])
      expect(statusCode).toBe(route === 'fetch' ? 307 : 200)
      expect(lambdas.aws.calls[0]?.input.ConsistentRead).toBe(false)
    })

    test('twice for a version that is not stored, the second time consistent', async () => {
      const { statusCode, calls } = await callsOf({ route, parameters })
      expect({ statusCode, calls }).toEqual({ statusCode: 404, calls: ['GetItem', 'GetItem'] })
      expect(lambdas.aws.calls.map(({ input }) => input.ConsistentRead)).toEqual([false, true])
    })
  },
)

test('a page of a list is one query', async () => {
  await lambdas.send(store())
  const { bucket_id, artifact_id } = parameters
  const request = { route: 'listVersions', parameters: { bucket_id, artifact_id } } as const
  expect(await callsOf(request)).toEqual({ statusCode: 200, calls: ['Query'] })
})

test('health is one read', async () => {
  expect(await callsOf({ route: 'health' })).toEqual({ statusCode: 200, calls: ['GetItem'] })
})

test('a request about the API itself makes no call', async () => {
  for (const route of ['service', 'openapi', 'problems'] as const)
    expect(await callsOf({ route })).toEqual({ statusCode: 200, calls: [] })
})
