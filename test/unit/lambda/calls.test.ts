/** What one request costs in calls of AWS: the price list of the README rests on this. */
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

test('a store: one read, one PUT of the blob, one conditional put', async () => {
  expect(await callsOf(store())).toEqual({ statusCode: 201, calls: ['GetItem', 'PutObject', 'PutItem'] })
  const [read, , put] = lambdas.aws.calls
  expect(read?.input.ConsistentRead).toBe(true)
  expect(put?.input.ConditionExpression).toBe('attribute_not_exists(pk)')
})

test.each([
  ['the same bytes', bytes],
  ['other bytes', Buffer.from('other')],
])('a conflict with %s: one read and no call of S3, so that no blob is left over', async (_, body) => {
  await lambdas.send(store())
  expect(await callsOf(store(body))).toEqual({ statusCode: 409, calls: ['GetItem'] })
  expect(lambdas.aws.objects.size).toBe(1)
})

test('bytes that are not those of the digest: one read, and nothing is sent', async () => {
  expect(await callsOf(store(Buffer.from('other'), digest(bytes)))).toEqual({
    statusCode: 400,
    calls: ['GetItem'],
  })
})

test('a malformed request: no call at all', async () => {
  expect(await callsOf(store(bytes, 'md5:1'))).toEqual({ statusCode: 400, calls: [] })
})

describe.each(['fetch', 'entry', 'download', 'head'] as const)(
  '%s: one consistent read and no call of S3',
  (route) => {
    test('of what is stored', async () => {
      await lambdas.send(store())
      const { statusCode, calls } = await callsOf({ route, parameters })
      expect(calls).toEqual(['GetItem'])
      expect(statusCode).toBe(route === 'fetch' ? 307 : 200)
      expect(lambdas.aws.calls[0]?.input.ConsistentRead).toBe(true)
    })

    test('of what is not', async () => {
      expect(await callsOf({ route, parameters })).toEqual({ statusCode: 404, calls: ['GetItem'] })
    })
  },
)

test('a page of a list: one query', async () => {
  await lambdas.send(store())
  const { bucket_id, artifact_id } = parameters
  const request = { route: 'listVersions', parameters: { bucket_id, artifact_id } } as const
  expect(await callsOf(request)).toEqual({ statusCode: 200, calls: ['Query'] })
})

test('health: one read', async () => {
  expect(await callsOf({ route: 'health' })).toEqual({ statusCode: 200, calls: ['GetItem'] })
})

test('what is about the API itself: no call', async () => {
  for (const route of ['service', 'openapi', 'problems'] as const)
    expect(await callsOf({ route })).toEqual({ statusCode: 200, calls: [] })
})
