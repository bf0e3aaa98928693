/** A message is text that anybody with the right to send could have written: what comes out was checked. */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, expect, test } from 'vitest'
import {
  createSqsVerificationQueue,
  formatVerification,
  parseVerification,
} from '../../../lib/aws/sqs-verification-queue.ts'
import { newAttempt } from '../../../lib/repository/upload-record.ts'
import { ATTEMPT, uploadOf } from './uploads-fixtures.ts'

const client = new SQSClient({ region: 'eu-west-1', maxAttempts: 1 })
const sqs = mockClient(client)
const queue = createSqsVerificationQueue({ client, url: 'https://sqs.test/the-queue' })
beforeEach(() => sqs.reset())

const record = uploadOf(Buffer.from('hello'))
const request = { id: record.id, attempt: record.attempt }

test('a verification is one message that names reference, digest and attempt, and nothing else', async () => {
  sqs.on(SendMessageCommand).resolves({})
  await queue.send(record)
  const { QueueUrl, MessageBody = '' } = sqs.commandCalls(SendMessageCommand)[0]?.args[0].input ?? {}
  expect(QueueUrl).toBe('https://sqs.test/the-queue')
  expect(JSON.parse(MessageBody)).toEqual({
    ref: 'prod-models/llama_3.8b+lora:x/v3.1.0+a',
    digest: record.id.digest,
    attempt: ATTEMPT,
  })
})

test('what was sent is what comes out', () => {
  expect(parseVerification(formatVerification(request))).toEqual(request)
  const anew = { ...request, attempt: newAttempt() }
  expect(parseVerification(formatVerification(anew))).toEqual(anew)
})

const body = JSON.parse(formatVerification(request)) as Record<string, unknown>
test.each([
  ['no JSON', 'hello'],
  ['null', 'null'],
  ['no reference', JSON.stringify({ ...body, ref: undefined })],
  ['a reference that leaves its place', JSON.stringify({ ...body, ref: 'a/../b' })],
  ['a reference of four', JSON.stringify({ ...body, ref: 'a/b/c/d' })],
  ['another hash', JSON.stringify({ ...body, digest: `md5:${'0'.repeat(32)}` })],
  ['a digest that is no text', JSON.stringify({ ...body, digest: 7 })],
  ['an attempt that could be a path', JSON.stringify({ ...body, attempt: `${ATTEMPT}/../x` })],
])('%s is refused', (_, text) => {
  expect(() => parseVerification(text)).toThrow()
})

test('a queue that fails is unavailable', async () => {
  sqs.on(SendMessageCommand).rejects(Object.assign(new Error('no'), { name: 'ThrottlingException' }))
  await expect(queue.send(request)).rejects.toMatchObject({ code: 'unavailable' })
})
