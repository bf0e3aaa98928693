/** Any sender with access to the queue can have written a message, so parsing checks all of it. */
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

test('a verification is one message with reference, digest and attempt only', async () => {
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

test('parsing returns what was formatted', () => {
  expect(parseVerification(formatVerification(request))).toEqual(request)
  const another = { ...request, attempt: newAttempt() }
  expect(parseVerification(formatVerification(another))).toEqual(another)
})

const body = JSON.parse(formatVerification(request)) as Record<string, unknown>
test.each([
  ['text that is not JSON', 'hello'],
  ['null', 'null'],
  ['no reference', JSON.stringify({ ...body, ref: undefined })],
  ['a reference with a parent folder', JSON.stringify({ ...body, ref: 'a/../b' })],
  ['a reference of four identifiers', JSON.stringify({ ...body, ref: 'a/b/c/d' })],
  ['another hash', JSON.stringify({ ...body, digest: `md5:${'0'.repeat(32)}` })],
  ['a digest that is a number', JSON.stringify({ ...body, digest: 7 })],
  ['an attempt that could be a path', JSON.stringify({ ...body, attempt: `${ATTEMPT}/../x` })],
])('%s is refused', (_, text) => {
  expect(() => parseVerification(text)).toThrow()
})

test('sending is unavailable if the queue fails', async () => {
  sqs.on(SendMessageCommand).rejects(Object.assign(new Error('no'), { name: 'ThrottlingException' }))
  await expect(queue.send(request)).rejects.toMatchObject({ code: 'unavailable' })
})
