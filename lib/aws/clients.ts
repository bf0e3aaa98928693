/**
 * The one module that builds AWS SDK clients. Each call is bounded: time to connect, time to the response headers, silence on the
 * socket, number of attempts. Together they stay below the 29 s that API Gateway waits.
 * Region, credentials and endpoint come from the SDK's own sources unless they are given.
 */
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { restoreErrorStatus } from './s3-errors.ts'

export interface AwsOptions {
  readonly region?: string | undefined
  /** An endpoint that replaces AWS's own (`AWS_ENDPOINT_URL`); S3 buckets are then named in the path. */
  readonly endpoint?: string | undefined
}

/** How long one attempt of a call may take, in milliseconds. */
export interface CallLimits {
  readonly connectMs: number
  /** From sending to the response headers, including the time to send a body. */
  readonly answerMs: number
  /**
   * Without a byte in either direction. From 6,000 up the SDK watches only calls that take long. Below, it sets the limit on
   * every socket, where it also closes idle keep-alive connections.
   */
  readonly idleMs: number
  readonly attempts: number
}

/** The limits of a client that also completes multipart uploads: the one call whose time grows with the artifact. */
export interface StagingLimits extends CallLimits {
  /**
   * How long CompleteMultipartUpload may take, all attempts together, in milliseconds. S3 continues on its own after that, and
   * the caller's next attempt finds the object.
   *
   * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html — "could take several minutes"
   */
  readonly completeMs: number
}

/** A ledger call takes milliseconds, so a slow one is retried early. */
export const LEDGER_LIMITS: CallLimits = { connectMs: 1000, answerMs: 2000, idleMs: 6000, attempts: 3 }
/** In a Lambda: one PUT of at most 4 MiB, within the 29 s of the gateway. */
export const LAMBDA_BLOB_LIMITS: CallLimits = { connectMs: 1000, answerMs: 6000, idleMs: 6000, attempts: 2 }
/** The staging area in a Lambda: S3 may be silent while it completes many parts, and the gateway waits for it. */
export const LAMBDA_STAGING_LIMITS: StagingLimits = {
  ...LAMBDA_BLOB_LIMITS,
  idleMs: 20_000,
  completeMs: 18_000,
}
/** On a server: parts of 8 MiB and more over any line, and reads of any length. The client waits for Complete. */
export const SERVER_BLOB_LIMITS: StagingLimits = {
  connectMs: 2000,
  answerMs: 60_000,
  idleMs: 20_000,
  attempts: 4,
  completeMs: 18_000,
}
/**
 * In the verifier, which has minutes: S3 answers a copy or a Complete when it is done. Complete publishes the final name, so it
 * must end within the verifier's lease; a test compares the two (docs/races.md).
 */
export const VERIFIER_BLOB_LIMITS: StagingLimits = {
  connectMs: 2000,
  answerMs: 60_000,
  idleMs: 120_000,
  attempts: 5,
  completeMs: 90_000,
}
/** A message has a few hundred bytes. */
const QUEUE_LIMITS: CallLimits = { connectMs: 1000, answerMs: 3000, idleMs: 6000, attempts: 3 }

export const bounded = ({ connectMs, answerMs, idleMs, attempts }: CallLimits) => ({
  maxAttempts: attempts,
  requestHandler: {
    connectionTimeout: connectMs,
    requestTimeout: answerMs,
    // The SDK would otherwise only log a warning when a response is late.
    throwOnRequestTimeout: true,
    socketTimeout: idleMs,
  },
})

export const located = ({ region, endpoint }: AwsOptions) => ({
  ...(region === undefined ? {} : { region }),
  ...(endpoint === undefined ? {} : { endpoint }),
})

/** Middleware of any client: the message of an error names the bucket, table or queue of the call, for the operator. */
const naming =
  <A extends { readonly input: object }, O>(next: (args: A) => Promise<O>) =>
  (args: A): Promise<O> =>
    next(args).catch((error: unknown) => {
      const [resource] = Object.entries(RESOURCES).flatMap(([member, kind]) => {
        const name: unknown = Reflect.get(args.input, member)
        return typeof name === 'string' ? [`${kind} ${name}`] : []
      })
      if (error instanceof Error && resource !== undefined) error.message += ` (${resource})`
      throw error
    })

/** The member of a call's input that names its resource. */
const RESOURCES = { Bucket: 'S3 bucket', TableName: 'table', QueueUrl: 'queue' }

/**
 * Settings that the SDK otherwise looks up at the first call: each in the environment, then in files below ~/.aws, which a Lambda
 * function does not have. They have the SDK's default values. Region, credentials, endpoint and the FIPS and dual-stack variants are
 * still the environment's.
 */
const LAMBDA_SETTINGS: DynamoDBClientConfig = {
  accountIdEndpointMode: 'preferred',
  authSchemePreference: [],
  defaultsMode: 'legacy',
  endpointDiscoveryEnabled: false,
  retryMode: 'standard',
  userAgentAppId: async () => undefined,
}

export function createDynamoDbClient(
  options: AwsOptions,
  limits: CallLimits = LEDGER_LIMITS,
  settings: DynamoDBClientConfig = {},
): DynamoDBClient {
  const client = new DynamoDBClient({ ...settings, ...located(options), ...bounded(limits) })
  client.middlewareStack.add(naming)
  return client
}

/** The client of a Lambda function, whose cold start contains its first call. */
export const createLambdaDynamoDbClient = (): DynamoDBClient =>
  createDynamoDbClient({}, LEDGER_LIMITS, LAMBDA_SETTINGS)

export function createSqsClient(options: AwsOptions, limits: CallLimits = QUEUE_LIMITS): SQSClient {
  const client = new SQSClient({ ...located(options), ...bounded(limits) })
  client.middlewareStack.add(naming)
  return client
}

/**
 * Checksums only where a command asks for them. By default the SDK adds a CRC32 to every upload.
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
  client.middlewareStack.add(naming)
  client.middlewareStack.add(
    (next) => (args) =>
      next(args).catch((error: unknown) => {
        throw restoreErrorStatus(error)
      }),
    // Runs inside the SDK's retry step, which decides by the status.
    { name: 'restoreErrorStatus', step: 'finalizeRequest', priority: 'low' },
  )
  return client
}
