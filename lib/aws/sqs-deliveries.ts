/**
 * Deliveries of verifications to a Lambda function: from the queue to be done, from the dead-letter queue to be given up.
 * A delivery is removed from its queue only when it is done with; every other is reported by itself, and comes again after a
 * pause, so that one that fails takes no other with it.
 */
import { ChangeMessageVisibilityCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { Context, SQSBatchItemFailure, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { Digest } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import type { VerificationRequest } from '../repository/upload-ports.ts'
import { parseVerification } from './sqs-verification-queue.ts'

/** One line of the log for each delivery. It never holds a byte or a request of an artifact. */
export interface DeliveryRecord {
  time: string
  request_id: string
  operation: 'verify' | 'abandon'
  message_id: string
  /** How often this message was delivered, this time included. */
  delivery: number
  /** What it led to; `retry` when it comes again. */
  outcome: string
  duration_ms: number
  bucket_id?: string
  artifact_id?: string
  version?: string
  digest?: Digest
  attempt?: string
  /** For the operator: why it comes again. */
  error?: string
}

export interface DeliveryHandling {
  verify(request: VerificationRequest, signal: AbortSignal): Promise<string>
  abandon(request: VerificationRequest): Promise<void>
  readonly client: SQSClient
  readonly queueUrl: string
  /** By it the deliveries of the dead-letter queue are known. */
  readonly deadLetterQueueArn: string
  readonly log: (record: DeliveryRecord) => void
}

export type DeliveryHandler = (
  event: SQSEvent,
  context: Pick<Context, 'awsRequestId' | 'getRemainingTimeInMillis'>,
) => Promise<SQSBatchResponse>

/**
 * What is kept of the function's time so that a verification ends in order: the lease released, the copies removed, the message
 * handed back. Lambda would only stop the process, and the lease would have to run out.
 */
const RESERVE_MS = 20_000
/** A verification is not begun with less than this left: another environment has all of its time. */
const LEAST_MS = 60_000

/** When a failed delivery comes again, in seconds: soon at first, for most failures pass. */
const pauseSeconds = (delivery: number): number => Math.min(15 * 2 ** (delivery - 1), 900)

export function deliveryHandler(handling: DeliveryHandling): DeliveryHandler {
  return async (event, context) => {
    const failures: SQSBatchItemFailure[] = []
    for (const record of event.Records)
      if (!(await deliver(handling, record, context))) failures.push({ itemIdentifier: record.messageId })
    return { batchItemFailures: failures }
  }
}

/** @returns whether the delivery is done with. */
async function deliver(
  handling: DeliveryHandling,
  message: SQSRecord,
  context: Parameters<DeliveryHandler>[1],
): Promise<boolean> {
  const isDead = message.eventSourceARN === handling.deadLetterQueueArn
  const started = Date.now()
  const delivery = Number(message.attributes.ApproximateReceiveCount)
  let request: VerificationRequest | undefined
  const log = (outcome: string, error?: unknown) =>
    handling.log({
      time: new Date(started).toISOString(),
      request_id: context.awsRequestId,
      operation: isDead ? 'abandon' : 'verify',
      message_id: message.messageId,
      delivery,
      outcome,
      duration_ms: Date.now() - started,
      ...(request ? about(request) : {}),
      ...(error === undefined ? {} : { error: describe(error) }),
    })
  try {
    request = parseVerification(message.body)
    if (isDead) await handling.abandon(request)
    const outcome = isDead ? 'abandoned' : await verifyInTime(handling, request, context)
    log(outcome)
    return true
  } catch (error) {
    log('retry', error)
    if (!isDead) await comeAgain(handling, message, delivery)
    return false
  }
}

async function verifyInTime(
  handling: DeliveryHandling,
  request: VerificationRequest,
  context: Parameters<DeliveryHandler>[1],
): Promise<string> {
  const left = context.getRemainingTimeInMillis()
  if (left < LEAST_MS) throw BucketError.unavailable('too little of the function’s time is left')
  const end = new AbortController()
  const timer = setTimeout(
    () => end.abort(BucketError.unavailable('the function’s time is over')),
    left - RESERVE_MS,
  )
  try {
    return await handling.verify(request, end.signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Without it a message would come again only when its visibility time-out is over, which is longer than the function runs. */
async function comeAgain(
  { client, queueUrl }: DeliveryHandling,
  message: SQSRecord,
  delivery: number,
): Promise<void> {
  const command = new ChangeMessageVisibilityCommand({
    QueueUrl: queueUrl,
    ReceiptHandle: message.receiptHandle,
    VisibilityTimeout: pauseSeconds(delivery),
  })
  await client.send(command).catch(() => undefined) // it comes again later then
}

const about = ({ id, attempt }: VerificationRequest) => ({
  bucket_id: id.ref.bucketId,
  artifact_id: id.ref.artifactId,
  version: id.ref.version,
  digest: id.digest,
  attempt,
})

/** With the causes, for an `unavailable` says only what did not happen. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { name, message, cause } = error
  return cause === undefined ? `${name}: ${message}` : `${name}: ${message} (${describe(cause)})`
}
