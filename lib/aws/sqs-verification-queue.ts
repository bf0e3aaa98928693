/**
 * Sends verifications through an SQS queue, which delivers each at least once, in any order. A message only names the attempt:
 * everything else is in the row, which decides what a late or repeated delivery may still do.
 */
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { parseDigest } from '../domain/digest.ts'
import { formatRef } from '../domain/identifiers.ts'
import { parseRef } from '../domain/refs.ts'
import type { VerificationQueue, VerificationRequest } from '../repository/upload-ports.ts'
import { serviceFailure } from './sdk-failure.ts'

export interface SqsQueue {
  readonly client: SQSClient
  readonly url: string
}

export const createSqsVerificationQueue = ({ client, url }: SqsQueue): VerificationQueue => ({
  async send(request) {
    await client
      .send(new SendMessageCommand({ QueueUrl: url, MessageBody: formatVerification(request) }))
      .catch((error) => {
        throw serviceFailure(error, 'the verification could not be queued')
      })
  },
})

export const formatVerification = ({ id, attempt }: VerificationRequest): string =>
  JSON.stringify({ ref: formatRef(id.ref), digest: id.digest, attempt })

/** The form that `newAttempt` gives attempts. */
const ATTEMPT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Reads the body of a message. Any sender with access to the queue can have written it, so all of it is checked.
 *
 * @throws Error if it is malformed.
 */
export function parseVerification(body: string): VerificationRequest {
  const message: unknown = JSON.parse(body)
  if (typeof message !== 'object' || message === null)
    throw new Error('a verification message must be a JSON object')
  const { ref, digest, attempt } = message as Readonly<Record<string, unknown>>
  if (typeof ref !== 'string' || typeof digest !== 'string' || typeof attempt !== 'string')
    throw new Error('a verification message must have the texts ref, digest and attempt')
  const parsed = parseDigest(digest)
  if (!parsed.ok) throw new Error(`the digest of a verification message ${parsed.error}`)
  if (!ATTEMPT.test(attempt)) throw new Error('the attempt of a verification message is malformed')
  return { id: { ref: parseRef(ref), digest: parsed.value }, attempt }
}
