/**
 * The one module that builds AWS SDK clients. Every call they make is bounded: time to connect, time to an answer,
 * silence on the socket, number of attempts; together they stay below the 29 s that API Gateway waits.
 * Region, credentials and endpoint come from where the SDK finds them, unless they are given.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { withItsOwnStatus } from './s3-errors.ts'

export interface AwsOptions {
  readonly region?: string | undefined
  /** An endpoint that stands in for AWS (`AWS_ENDPOINT_URL`); S3 buckets are then named in the path. */
  readonly endpoint?: string | undefined
}

/** How long one attempt of a call may take; milliseconds. */
export interface CallLimits {
  readonly connectMs: number
  /** From sending to the headers of the answer, the time to send a body included. */
  readonly answerMs: number
  /**
   * Without a byte in either direction. From 6,000 on the SDK watches only calls that take long; below, it sets the limit
   * on every socket, where it also ends the connections that wait for the next call.
   */
  readonly idleMs: number
  readonly attempts: number
}

/** Of a client that joins the parts of uploads as well: the one call whose time grows with the artifact. */
export interface JoinLimits extends CallLimits {
  /**
   * How long joining may take, all attempts together; milliseconds. Where it takes longer, S3 goes on by itself, and whoever asks
   * again finds the parts joined.
   *
   * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html — "could take several minutes"
   */
  readonly joinMs: number
}

/** A ledger call takes milliseconds: whatever takes longer is better tried anew. */
export const LEDGER_LIMITS: CallLimits = { connectMs: 1000, answerMs: 2000, idleMs: 6000, attempts: 3 }
/** Inside a Lambda: one PUT of at most 4 MiB, and the gateway gives up after 29 s. */
export const LAMBDA_BLOB_LIMITS: CallLimits = { connectMs: 1000, answerMs: 6000, idleMs: 6000, attempts: 2 }
/** The staging area inside of a Lambda: while S3 joins many parts it may be silent, and the gateway waits for it. */
export const LAMBDA_STAGING_LIMITS: JoinLimits = { ...LAMBDA_BLOB_LIMITS, idleMs: 20_000, joinMs: 18_000 }
/** On a server of one's own: parts of 8 MiB and more over any line, and reads of any length; who commits waits for the joining. */
export const SERVER_BLOB_LIMITS: JoinLimits = {
  connectMs: 2000,
  answerMs: 60_000,
  idleMs: 20_000,
  attempts: 4,
  joinMs: 18_000,
}
/**
 * Inside of the verifier, which has minutes: a copy or a joining within S3 answers when it is done. Joining gives the final name:
 * it stays below the lease of a verifier, which a test holds it to (docs/races.md).
 */
export const VERIFIER_BLOB_LIMITS: JoinLimits = {
  connectMs: 2000,
  answerMs: 60_000,
  idleMs: 120_000,
  attempts: 5,
  joinMs: 90_000,
}
/** A message is a few hundred bytes. */
export const QUEUE_LIMITS: CallLimits = { connectMs: 1000, answerMs: 3000, idleMs: 6000, attempts: 3 }

const bounded = ({ connectMs, answerMs, idleMs, attempts }: CallLimits) => ({
  maxAttempts: attempts,
  requestHandler: {
    connectionTimeout: connectMs,
    requestTimeout: answerMs,
    // Without this the SDK only warns when an answer is late.
    throwOnRequestTimeout: true,
    socketTimeout: idleMs,
  },
})

const located = ({ region, endpoint }: AwsOptions) => ({
  ...(region === undefined ? {} : { region }),
  ...(endpoint === undefined ? {} : { endpoint }),
})

export const createDynamoDbClient = (
  options: AwsOptions,
  limits: CallLimits = LEDGER_LIMITS,
): DynamoDBClient => new DynamoDBClient({ ...located(options), ...bounded(limits) })

export const createSqsClient = (options: AwsOptions, limits: CallLimits = QUEUE_LIMITS): SQSClient =>
  new SQSClient({ ...located(options), ...bounded(limits) })

/**
 * Checksums only where we ask for them: by default the SDK would add a CRC32 to presigned requests, of an empty body.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html
 */
export function createS3Client(options: AwsOptions, limits: CallLimits): S3Client {
  const client = new S3Client({
    ...located(options),
    ...bounded(limits),
    forcePathStyle: options.endpoint !== undefined,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  client.middlewareStack.add(
    (next) => (args) =>
      next(args).catch((error: unknown) => {
        throw withItsOwnStatus(error)
      }),
    // Inside of the SDK's retries, which begin this step: they look at the status.
    { name: 'withItsOwnStatus', step: 'finalizeRequest', priority: 'low' },
  )
  return client
}
