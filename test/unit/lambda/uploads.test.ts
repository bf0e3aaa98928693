/** Uploads through the handlers as they are deployed: the AWS calls of each request, and what the read side asks S3. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { GatewayRequest } from '../../support/gateway-event.ts'
import { useLambdas } from './lambdas.ts'

const lambdas = useLambdas()
const bytes = Buffer.from('hello')
const hex = createHash('sha256').update(bytes).digest('hex')
const digest = `sha256:${hex}`
const parameters = { bucket_id: 'b', artifact_id: 'a', version: 'v1', digest }
const json = (body: unknown) => ({
  headers: { 'Content-Type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
})
const begin = (mode: 'single' | 'multipart'): GatewayRequest => ({
  route: 'beginUpload',
  parameters,
  ...json({ size: bytes.byteLength, mode }),
})

async function callsOf(request: GatewayRequest) {
  lambdas.aws.calls.length = 0
  const { statusCode, body } = await lambdas.send(request)
  return { statusCode, calls: lambdas.aws.operations(), answer: body === '' ? undefined : JSON.parse(body) }
}
const state = () => callsOf({ route: 'uploadState', parameters })
const commit = () => callsOf({ route: 'commitUpload', parameters })

interface Sent {
  readonly url: string
  readonly headers: Record<string, string>
}
const put = ({ url, headers }: Sent) => fetch(url, { method: 'PUT', headers, body: bytes })
async function sendPart() {
  const parts = json({ parts: [{ number: 1, sha256: hex }] })
  const { answer } = await callsOf({ route: 'presignParts', parameters, ...parts })
  return put(answer.parts[0].request)
}

describe('a single upload', () => {
  test('is committed at once, and no byte of it passes through a function', async () => {
    const begun = await callsOf(begin('single'))
    expect(begun).toMatchObject({ statusCode: 201, calls: ['GetItem', 'PutItem'] })
    expect((await put(begun.answer.request)).status).toBe(200)
    expect(await commit()).toMatchObject({
      statusCode: 201,
      calls: ['GetItem', 'HeadObject', 'PutItem', 'PutItem', 'PutItem'],
    })
    expect((await lambdas.send({ route: 'fetch', parameters })).statusCode).toBe(307)
  })

  test('its state is three reads and one HEAD, and holds no request', async () => {
    const { answer: begun } = await callsOf(begin('single'))
    const waiting = await state()
    expect(waiting).toMatchObject({ statusCode: 200, answer: { state: 'open', received: false } })
    // The ledger has no entry yet, so its eventually consistent read is repeated as a consistent one.
    expect(waiting.calls.sort()).toEqual(['GetItem', 'GetItem', 'GetItem', 'HeadObject'])
    expect(waiting.answer).not.toHaveProperty('request')
    await put(begun.request)
    expect((await state()).answer).toMatchObject({ received: true })
  })

  test('has not received its bytes if S3 answers 403, as it does to the read role for a missing key', async () => {
    await callsOf(begin('single'))
    lambdas.aws.misbehave('HeadObject', { status: 403, code: 'Forbidden' })
    expect(await state()).toMatchObject({ statusCode: 200, answer: { received: false } })
  })

  test('is unavailable, never "not received", if S3 fails', async () => {
    await callsOf(begin('single'))
    lambdas.aws.misbehave('HeadObject', { status: 500, code: 'InternalError' })
    expect(await state()).toMatchObject({ statusCode: 503 })
  })
})

describe('a multipart upload', () => {
  test('is read once, moved inside S3, and then visible', async () => {
    expect(await callsOf(begin('multipart'))).toMatchObject({
      statusCode: 201,
      calls: ['GetItem', 'CreateMultipartUpload', 'PutItem'],
    })
    expect((await sendPart()).status).toBe(200)
    expect((await state()).answer).toMatchObject({
      received: [{ number: 1, size: 5, sha256: hex }],
    })
    expect(await commit()).toMatchObject({
      statusCode: 202,
      calls: ['GetItem', 'GetItem', 'ListParts', 'PutItem', 'CompleteMultipartUpload', 'SendMessage'],
    })
    expect((await lambdas.send({ route: 'fetch', parameters })).statusCode).toBe(404)

    lambdas.aws.calls.length = 0
    expect(await lambdas.deliver()).toBe(0)
    const calls = lambdas.aws.operations()
    expect(calls.filter((call) => call === 'GetObject')).toHaveLength(1)
    expect(calls).toContain('UploadPartCopy')
    expect(calls.slice(-3)).toEqual(['PutItem', 'AbortMultipartUpload', 'DeleteObject'])
    expect(await state()).toMatchObject({ answer: { state: 'committed', entry: { digest, size: 5 } } })
    expect((await lambdas.send({ route: 'fetch', parameters })).statusCode).toBe(307)
    expect([...lambdas.aws.objects.keys()]).toEqual([`/blobs/blobs/b/a/v1/${hex}`])
    expect(lambdas.aws.openUploads.size).toBe(0)
  })

  test('its state is three reads and one list of parts', async () => {
    await callsOf(begin('multipart'))
    const { calls } = await state()
    expect(calls.sort()).toEqual(['GetItem', 'GetItem', 'GetItem', 'ListParts'])
  })

  test('is found when it begins again, and its parts are listed once', async () => {
    await callsOf(begin('multipart'))
    await sendPart()
    const { statusCode, answer, calls } = await callsOf(begin('multipart'))
    expect({ statusCode, answer }).toMatchObject({ statusCode: 200, answer: { received: [{ number: 1 }] } })
    expect(calls.filter((call) => call === 'ListParts')).toHaveLength(1)
    expect(lambdas.aws.openUploads.size).toBe(1)
  })

  test('is not changed by a repeated or late message', async () => {
    await callsOf(begin('multipart'))
    await sendPart()
    await commit()
    const [body = ''] = lambdas.aws.messages
    expect(await lambdas.deliver()).toBe(0)
    const rows = JSON.stringify([...lambdas.aws.rows])
    lambdas.aws.messages.push(body, body)
    expect(await lambdas.deliver()).toBe(0)
    expect(JSON.stringify([...lambdas.aws.rows])).toBe(rows)
  })

  test.each([
    'GetItem',
    'PutItem',
    'HeadObject',
    'GetObject',
    'CreateMultipartUpload',
    'UploadPartCopy',
    'CompleteMultipartUpload',
  ] as const)('stays invisible while %s fails, and is verified by a later delivery', async (operation) => {
    await callsOf(begin('multipart'))
    await sendPart()
    await commit()
    const [body = ''] = lambdas.aws.messages
    lambdas.aws.misbehave(operation, { status: 403, code: 'AccessDenied' })
    expect(await lambdas.deliver()).toBe(1)
    lambdas.aws.misbehave(operation, 'drop', 0)
    expect((await lambdas.send({ route: 'entry', parameters })).statusCode).toBe(404)
    lambdas.aws.messages.push(body)
    expect(await lambdas.deliver()).toBe(0)
    expect((await lambdas.send({ route: 'entry', parameters })).statusCode).toBe(200)
  })

  test('leaves nothing behind when it is aborted', async () => {
    await callsOf(begin('multipart'))
    await sendPart()
    expect(await callsOf({ route: 'abortUpload', parameters })).toMatchObject({ statusCode: 204 })
    expect([lambdas.aws.openUploads.size, lambdas.aws.objects.size, lambdas.aws.rows.size]).toEqual([0, 0, 0])
  })
})
