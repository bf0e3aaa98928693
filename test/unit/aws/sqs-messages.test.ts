/** Messages are handled one by one: handled ones leave the queue, failed ones are delivered again, and time is left for an orderly end. */
import { ChangeMessageVisibilityCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { SQSEvent } from 'aws-lambda'
import { mockClient } from 'aws-sdk-client-mock'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type MessageHandling, type MessageRecord, messageHandler } from '../../../lib/aws/sqs-messages.ts'
import { formatVerification } from '../../../lib/aws/sqs-verification-queue.ts'
import { BucketError } from '../../../lib/domain/errors.ts'
import { ATTEMPT, uploadOf } from './uploads-fixtures.ts'

const client = new SQSClient({ region: 'eu-west-1', maxAttempts: 1 })
const sqs = mockClient(client)
const QUEUE = 'arn:aws:sqs:eu-west-1:123456789012:queue'
const DEAD = 'arn:aws:sqs:eu-west-1:123456789012:dead'
const request = { id: uploadOf(Buffer.from('hello')).id, attempt: ATTEMPT }
const lines: MessageRecord[] = []
beforeEach(() => {
  sqs.reset()
  sqs.onAnyCommand().resolves({})
  lines.length = 0
})
afterEach(() => void vi.useRealTimers())

const handlerOf = (over: Partial<MessageHandling>) =>
  messageHandler({
    verify: async () => 'committed',
    abandon: async () => {},
    client,
    queueUrl: 'https://sqs.test/queue',
    deadLetterQueueArn: DEAD,
    log: (line) => lines.push(line),
    ...over,
  })

const message = (messageId: string, body = formatVerification(request), arn = QUEUE, delivery = 1) => ({
  messageId,
  body,
  receiptHandle: `receipt of ${messageId}`,
  eventSourceARN: arn,
  attributes: { ApproximateReceiveCount: String(delivery) },
})
const eventOf = (...messages: ReturnType<typeof message>[]): SQSEvent =>
  // The handler reads nothing else of a record.
  ({ Records: messages }) as unknown as SQSEvent
const context = (left = 900_000) => ({
  awsRequestId: 'invocation-1',
  getRemainingTimeInMillis: () => left,
})
const failed = (...ids: string[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
})
const pauses = () =>
  sqs
    .commandCalls(ChangeMessageVisibilityCommand)
    .map(({ args: [{ input }] }) => [input.ReceiptHandle, input.VisibilityTimeout])

test.each(['committed', 'failed', 'stale'])(
  'a verification that ended as %s leaves the queue',
  async (outcome) => {
    const verify = vi.fn<MessageHandling['verify']>(async (_request, _signal, note) => {
      note({ size: 7 })
      note({ hashMs: 3 })
      return outcome
    })
    expect(await handlerOf({ verify })(eventOf(message('a')), context())).toEqual(failed())
    expect(verify).toHaveBeenCalledExactlyOnceWith(request, expect.any(AbortSignal), expect.any(Function))
    expect(lines).toMatchObject([
      { operation: 'verify', outcome, attempt: ATTEMPT, delivery: 1, size: 7, hashMs: 3 },
    ])
  },
)

test('a message that fails is delivered again and delays no other', async () => {
  const verify = vi
    .fn(async () => 'committed')
    .mockRejectedValueOnce(
      BucketError.unavailable('another verifier holds the lease', new Error('the cause')),
    )
  const event = eventOf(message('a'), message('b'))
  expect(await handlerOf({ verify })(event, context())).toEqual(failed('a'))
  expect(lines.map(({ outcome }) => outcome)).toEqual(['retry', 'committed'])
  expect(lines[0]?.error).toMatch(/another verifier holds the lease.*the cause/)
})

test('the pauses between deliveries double from 15 seconds to at most 15 minutes', async () => {
  const verify = async () => {
    throw BucketError.unavailable('not now')
  }
  for (const delivery of [1, 2, 5, 8])
    await handlerOf({ verify })(eventOf(message('a', undefined, QUEUE, delivery)), context())
  expect(pauses()).toEqual([15, 30, 240, 900].map((seconds) => ['receipt of a', seconds]))
})

test('a message is delivered again even if the queue refuses the pause', async () => {
  sqs.on(ChangeMessageVisibilityCommand).rejects(new Error('no'))
  const verify = async () => {
    throw BucketError.unavailable('not now')
  }
  expect(await handlerOf({ verify })(eventOf(message('a')), context())).toEqual(failed('a'))
})

test.each(['hello', '{}', formatVerification({ ...request, attempt: '../x' })])(
  'the malformed message %j stays in the queue until it is a dead letter',
  async (body) => {
    const verify = vi.fn(async () => 'committed')
    expect(await handlerOf({ verify })(eventOf(message('a', body)), context())).toEqual(failed('a'))
    expect(verify).not.toHaveBeenCalled()
    expect(lines).toMatchObject([{ outcome: 'retry', messageId: 'a' }])
  },
)

describe('the function', () => {
  test('stops verifying 20 s before its time ends, and returns the message', async () => {
    vi.useFakeTimers()
    const verify = (_: unknown, signal: AbortSignal) =>
      new Promise<string>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    const result = handlerOf({ verify })(eventOf(message('a')), context(100_000))
    await vi.advanceTimersByTimeAsync(79_999)
    expect(lines).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(await result).toEqual(failed('a'))
    expect(lines[0]?.error).toContain('no time left')
  })

  test('starts no verification with less than a minute left', async () => {
    const verify = vi.fn(async () => 'committed')
    expect(await handlerOf({ verify })(eventOf(message('a')), context(59_999))).toEqual(failed('a'))
    expect(verify).not.toHaveBeenCalled()
  })

  test('leaves no timer running', async () => {
    vi.useFakeTimers()
    await handlerOf({})(eventOf(message('a')), context())
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a dead letter', () => {
  const dead = (id: string, body?: string) => message(id, body, DEAD)

  test('ends its upload instead of verifying it', async () => {
    const [verify, abandon] = [vi.fn(async () => 'committed'), vi.fn(async () => {})]
    expect(await handlerOf({ verify, abandon })(eventOf(dead('a')), context())).toEqual(failed())
    expect(abandon).toHaveBeenCalledExactlyOnceWith(request)
    expect(verify).not.toHaveBeenCalled()
    expect(lines).toMatchObject([{ operation: 'abandon', outcome: 'abandoned' }])
  })

  test('stays in its queue if its upload cannot be ended', async () => {
    const abandon = async () => {
      throw BucketError.unavailable('another verifier holds the lease')
    }
    expect(await handlerOf({ abandon })(eventOf(dead('a'), dead('b')), context())).toEqual(failed('a', 'b'))
    expect(pauses()).toEqual([])
  })

  test('stays in its queue if it is malformed', async () => {
    expect(await handlerOf({})(eventOf(dead('a', 'hello')), context())).toEqual(failed('a'))
  })
})
