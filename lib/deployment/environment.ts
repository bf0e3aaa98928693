/**
 * The only list of environment variables: the CDK constructs set them, the Lambda handlers and the command line read them.
 * `readLambdaEnvironment` checks all of them at start, so that a partly configured process never answers.
 */

/** The variables that the stack sets for the Lambda handlers. */
export const LAMBDA_ENVIRONMENT = {
  blobBucket: 'BUCKET_BLOB_BUCKET',
  stagingBucket: 'BUCKET_STAGING_BUCKET',
  ledgerTable: 'BUCKET_LEDGER_TABLE',
  uploadsTable: 'BUCKET_UPLOADS_TABLE',
  verificationQueueUrl: 'BUCKET_VERIFICATION_QUEUE_URL',
  deadLetterQueueArn: 'BUCKET_DEAD_LETTER_QUEUE_ARN',
  maxArtifactBytes: 'BUCKET_MAX_ARTIFACT_BYTES',
  presignedSeconds: 'BUCKET_PRESIGNED_SECONDS',
  serviceName: 'BUCKET_SERVICE_NAME',
  corsOrigins: 'BUCKET_CORS_ORIGINS',
} as const

const STORES = [
  'blobBucket',
  'stagingBucket',
  'ledgerTable',
  'uploadsTable',
  'maxArtifactBytes',
  'presignedSeconds',
  'serviceName',
] as const

/** The variables of each handler. */
export const LAMBDA_VARIABLES = {
  read: [...STORES, 'corsOrigins'],
  write: [...STORES, 'verificationQueueUrl', 'corsOrigins'],
  verify: [...STORES, 'verificationQueueUrl', 'deadLetterQueueArn'],
} as const satisfies Record<string, readonly (keyof typeof LAMBDA_ENVIRONMENT)[]>

export type LambdaSide = keyof typeof LAMBDA_VARIABLES

/** The root of the API, for the function that asks for its health. */
export const PROBE_URL_VARIABLE = 'BUCKET_PROBE_URL'

/** The variables that the command line reads in addition to its options. */
export const CLI_ENVIRONMENT = {
  url: 'BUCKET_URL',
  auth: 'BUCKET_AUTH',
  token: 'BUCKET_TOKEN',
  apiKey: 'BUCKET_API_KEY',
  caFile: 'BUCKET_CA_FILE',
  timeout: 'BUCKET_TIMEOUT',
  config: 'BUCKET_CONFIG',
  profile: 'BUCKET_PROFILE',
  output: 'BUCKET_OUTPUT',
  debug: 'BUCKET_DEBUG',
  store: 'BUCKET_STORE',
  host: 'BUCKET_HOST',
  port: 'BUCKET_PORT',
  publicUrl: 'BUCKET_PUBLIC_URL',
  allowedHosts: 'BUCKET_ALLOWED_HOSTS',
  drainLimit: 'BUCKET_DRAIN_LIMIT',
  minBodyRate: 'BUCKET_MIN_BODY_RATE',
  bodyGrace: 'BUCKET_BODY_GRACE',
  maxConnections: 'BUCKET_MAX_CONNECTIONS',
  dataDir: 'BUCKET_DATA_DIR',
  maxArtifactBytes: LAMBDA_ENVIRONMENT.maxArtifactBytes,
  blobBucket: LAMBDA_ENVIRONMENT.blobBucket,
  stagingBucket: LAMBDA_ENVIRONMENT.stagingBucket,
  ledgerTable: LAMBDA_ENVIRONMENT.ledgerTable,
  uploadsTable: LAMBDA_ENVIRONMENT.uploadsTable,
  verificationQueueUrl: LAMBDA_ENVIRONMENT.verificationQueueUrl,
  s3PublicEndpoint: 'BUCKET_S3_PUBLIC_ENDPOINT',
  awsRegion: 'AWS_REGION',
  awsDefaultRegion: 'AWS_DEFAULT_REGION',
} as const

/** Variables that the AWS SDK reads, too. They are set where an emulator or another engine replaces AWS. */
const ENDPOINT_ENVIRONMENT = { all: 'AWS_ENDPOINT_URL', s3: 'AWS_ENDPOINT_URL_S3' } as const

/**
 * The endpoint to call instead of AWS. The variable for S3 takes precedence. An empty variable counts as unset.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
export function endpointsIn(environment: Readonly<Record<string, string | undefined>>): {
  readonly all: string | undefined
  readonly s3: string | undefined
} {
  const all = environment[ENDPOINT_ENVIRONMENT.all] || undefined
  return { all, s3: environment[ENDPOINT_ENVIRONMENT.s3] || all }
}

/** The validated settings of the Lambda handlers. */
interface LambdaValues {
  readonly blobBucket: string
  readonly stagingBucket: string
  readonly ledgerTable: string
  readonly uploadsTable: string
  readonly verificationQueueUrl: string
  readonly deadLetterQueueArn: string
  /** Bytes. */
  readonly maxArtifactBytes: number
  /** How long a presigned request is valid. */
  readonly presignedSeconds: number
  /** The dimension of the metrics. */
  readonly serviceName: string
  readonly corsOrigins: readonly string[]
}

export type LambdaEnvironment<S extends LambdaSide> = Pick<
  LambdaValues,
  (typeof LAMBDA_VARIABLES)[S][number]
> & {
  /** Set by an emulator: the URL of its S3, the same from inside and outside. */
  readonly s3Endpoint: string | undefined
}

/** @throws Error that names every variable of this side that is missing or malformed. */
export function readLambdaEnvironment<S extends LambdaSide>(
  environment: Readonly<Record<string, string | undefined>>,
  side: S,
): LambdaEnvironment<S> {
  const faults: string[] = []
  const required = (name: string): string => {
    const value = environment[name]
    if (!value) faults.push(`${name} is not set`)
    return value ?? ''
  }
  const positive =
    (unit: string) =>
    (name: string): number => {
      const value = required(name)
      const number = Number(value)
      if (value && !(/^\d+$/.test(value) && Number.isSafeInteger(number) && number > 0))
        faults.push(`${name} is ${JSON.stringify(value)}, not a number of ${unit}`)
      return number
    }
  const read: { readonly [V in keyof LambdaValues]: (name: string) => LambdaValues[V] } = {
    blobBucket: required,
    stagingBucket: required,
    ledgerTable: required,
    uploadsTable: required,
    verificationQueueUrl: required,
    deadLetterQueueArn: required,
    maxArtifactBytes: positive('bytes'),
    presignedSeconds: positive('seconds'),
    serviceName: required,
    corsOrigins: (name) => (environment[name] ?? '').split(',').filter(Boolean),
  }
  const values = Object.fromEntries(
    LAMBDA_VARIABLES[side].map((variable) => [variable, read[variable](LAMBDA_ENVIRONMENT[variable])]),
  )
  if (faults.length > 0) throw new Error(`the environment is not complete: ${faults.join('; ')}`)
  // The table above types each value by the reader of its name, which the compiler cannot see here.
  return { ...values, s3Endpoint: endpointsIn(environment).s3 } as LambdaEnvironment<S>
}
