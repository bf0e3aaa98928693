/** The calls on which `npm run cost` rests are those that the handlers make. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { CALLS } from '../../../lib/infra/cost.ts'
import { HEADERS } from '../../../lib/protocol/headers.ts'
import type { GatewayRequest } from '../../support/gateway-event.ts'
import { useLambdas } from './lambdas.ts'

const lambdas = useLambdas()
const bytes = Buffer.from('hello')
const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const parameters = { bucket_id: 'b', artifact_id: 'a', version: 'v1' }
const upload = { ...parameters, digest }

async function callsOf(request: GatewayRequest) {
  lambdas.aws.calls.length = 0
  const { body } = await lambdas.send(request)
  const calls = lambdas.aws.calls.map(({ operation, input }) =>
    operation === 'GetItem' && input.ConsistentRead !== true ? 'EventuallyConsistentGetItem' : operation,
  )
  return { calls, body }
}

test('store, fetch and entry make the calls of the cost table', async () => {
  const store = {
    route: 'store',
    parameters,
    headers: { [HEADERS.artifactDigest]: digest },
    body: bytes,
  } as const
  expect((await callsOf(store)).calls).toEqual(CALLS.store)
  expect((await callsOf({ route: 'fetch', parameters })).calls).toEqual(CALLS.fetch)
  expect((await callsOf({ route: 'entry', parameters })).calls).toEqual(CALLS.entry)
})

test('an upload in single mode makes the calls of the cost table', async () => {
  const begun = await callsOf({
    route: 'beginUpload',
    parameters: upload,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ size: bytes.byteLength, mode: 'single' })),
  })
  expect(begun.calls).toEqual(CALLS.beginSingle)
  const { url, headers } = JSON.parse(begun.body).request
  await fetch(url, { method: 'PUT', headers, body: bytes })
  expect((await callsOf({ route: 'commitUpload', parameters: upload })).calls).toEqual(CALLS.commitSingle)
})
