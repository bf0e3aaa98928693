/**
 * Handles the messages of two queues in a Lambda function: verifications to do, and dead letters to end. A message leaves its
 * queue only after it was handled. Each failure is reported on its own and delivered again after a pause, so one failing message
 * delays no other.
 */
import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { Context, SQSBatchItemFailure, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { Digest } from '../domain/digest.ts'
import { BucketError, type ErrorCode } from '../domain/errors.ts'
import type { VerificationRequest } from '../repository/upload-ports.ts'
import type { VerificationFacts } from '../repository/verify.ts'
import { parseVerification } from './sqs-verification-queue.ts'

/** One line of the operation log for each message. It never holds a byte or a request of an artifact. */
export interface MessageRecord {
  time: string
  requestId: string
  operation: 'verify' | 'abandon'
  messageId: string
  /** How often this message was delivered, this time included. */
  delivery: number
  /** The result, or `retry` if the message is delivered again. */
  outcome: string
  durationMs: number
  /** Since the commit sent the message. */
  lagMs?: number
  bucketId?: string
  artifactId?: string
  version?: string
  digest?: Digest
  attempt?: string
  /** Bytes of the upload, and the milliseconds in which they were read and hashed. */
  size?: number
  hashMs?: number
  /** The reason of a failed verification. */
  code?: ErrorCode
  /** For the operator: why the message is delivered again. */
  error?: string
}

export interface MessageHandling {
  verify(
    request: VerificationRequest,
    signal: AbortSignal,
    note: (facts: VerificationFacts) => void,
  ): Promise<string>
  abandon(request: VerificationRequest): Promise<void>
  readonly client: SQSClient
  readonly queueUrl: string
  /** Identifies the messages of the dead-letter queue. */
  readonly deadLetterQueueArn: string
  readonly log: (record: MessageRecord) => void
}

export type MessageHandler = (
  event: SQSEvent,
  context: Pick<Context, 'awsRequestId' | 'getRemainingTimeInMillis'>,
) => Promise<SQSBatchResponse>

/**
 * The part of the function's time that is reserved for an orderly end: release the lease, remove the copies, return the message.
 * Lambda itself would only kill the process, and the lease would have to expire.
 */
const RESERVE_MS = 20_000
/** No verification starts with less time than this: another environment has all of its time. */
const LEAST_MS = 60_000

/** The pause before the next delivery, in seconds: short at first, because most failures pass. */
const pauseSeconds = (delivery: number): number => Math.min(15 * 2 ** (delivery - 1), 900)

export function messageHandler(handling: MessageHandling): MessageHandler {
  return async (event, context) => {
    const failures: SQSBatchItemFailure[] = []
    for (const record of event.Records)
      if (!(await handle(handling, record, context))) failures.push({ itemIdentifier: record.messageId })
    return { batchItemFailures: failures }
  }
}

/** @returns whether the message was handled. */
async function handle(
  handling: MessageHandling,
  message: SQSRecord,
  context: Parameters<MessageHandler>[1],
): Promise<boolean> {
  const isDead = message.eventSourceARN === handling.deadLetterQueueArn
  const started = Date.now()
  const delivery = Number(message.attributes.ApproximateReceiveCount)
  let request: VerificationRequest | undefined
  const facts: VerificationFacts = {}
  const log = (outcome: string, error?: unknown) =>
    handling.log({
      time: new Date(started).toISOString(),
      requestId: context.awsRequestId,
      operation: isDead ? 'abandon' : 'verify',
      messageId: message.messageId,
      delivery,
      outcome,
      durationMs: Date.now() - started,
      ...lag(message),
      ...(request ? about(request) : {}),
      ...facts,
      ...(error === undefined ? {} : { error: describe(error) }),
    })
  try {
    request = parseVerification(message.body)
    if (isDead) await handling.abandon(request)
    const outcome = isDead
      ? 'abandoned'
      : await verifyInTime(handling, request, context, (more) => Object.assign(facts, more))
    log(outcome)
    return true
  } catch (error) {
    log('retry', error)
    if (!isDead) await deliverAgain(handling, message, delivery)
    return false
  }
}

/** SQS states when it got the message, in milliseconds since the epoch. */
function lag({ attributes }: SQSRecord): { lagMs?: number } {
  const sent = Number(attributes.SentTimestamp)
  return Number.isNaN(sent) ? {} : { lagMs: Date.now() - sent }
}

async function verifyInTime(
  handling: MessageHandling,
  request: VerificationRequest,
  context: Parameters<MessageHandler>[1],
  note: (facts: VerificationFacts) => void,
): Promise<string> {
  const left = context.getRemainingTimeInMillis()
  if (left < LEAST_MS) throw BucketError.unavailable('the function has too little time left')
  const end = new AbortController()
  const timer = setTimeout(
    () => end.abort(BucketError.unavailable('the function has no time left')),
    left - RESERVE_MS,
  )
  try {
    return await handling.verify(request, end.signal, note)
  } finally {
    clearTimeout(timer)
  }
}

/** Otherwise the next delivery waits for the visibility time-out, which is longer than the function runs. */
async function deliverAgain(
  { client, queueUrl }: MessageHandling,
  message: SQSRecord,
  delivery: number,
): Promise<void> {
  const command = new ChangeMessageVisibilityCommand({
    QueueUrl: queueUrl,
    ReceiptHandle: message.receiptHandle,
    VisibilityTimeout: pauseSeconds(delivery),
  })
  await client.send(command).catch(() => undefined) // then it is delivered again after the visibility time-out
}

const about = ({ id, attempt }: VerificationRequest) => ({
  ...id.ref,
  digest: id.digest,
  attempt,
})

/** Includes the causes, because an `unavailable` says only what failed. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { name, message, cause } = error
  return cause === undefined ? `${name}: ${message}` : `${name}: ${message} (${describe(cause)})`
}
