/**
 * The names of the environment, once: the CDK constructs write them, the Lambda handlers and the command line read them.
 * `readLambdaEnvironment` checks all of them at once at start, so that a half-configured process never answers.
 */

/** What the Lambda handlers are told by the stack. */
export const LAMBDA_ENVIRONMENT = {
  blobBucket: 'BUCKET_BLOB_BUCKET',
  ledgerTable: 'BUCKET_LEDGER_TABLE',
  maxArtifactBytes: 'BUCKET_MAX_ARTIFACT_BYTES',
  corsOrigins: 'BUCKET_CORS_ORIGINS',
} as const

/** What the command line reads beside its options. */
export const CLI_ENVIRONMENT = {
  url: 'BUCKET_URL',
  auth: 'BUCKET_AUTH',
  token: 'BUCKET_TOKEN',
  apiKey: 'BUCKET_API_KEY',
  store: 'BUCKET_STORE',
  host: 'BUCKET_HOST',
  port: 'BUCKET_PORT',
  publicUrl: 'BUCKET_PUBLIC_URL',
  dataDir: 'BUCKET_DATA_DIR',
  maxArtifactBytes: LAMBDA_ENVIRONMENT.maxArtifactBytes,
  blobBucket: LAMBDA_ENVIRONMENT.blobBucket,
  ledgerTable: LAMBDA_ENVIRONMENT.ledgerTable,
  awsRegion: 'AWS_REGION',
  awsDefaultRegion: 'AWS_DEFAULT_REGION',
} as const

/** What the Lambda handlers read, checked. */
export interface LambdaEnvironment {
  readonly blobBucket: string
  readonly ledgerTable: string
  /** Bytes. */
  readonly maxArtifactBytes: number
  readonly corsOrigins: readonly string[]
  /** Set by an emulator: what stands in for S3, and is reached by the same URL from outside. */
  readonly s3Endpoint: string | undefined
}

/** @throws Error that names every variable that is missing or malformed. */
export function readLambdaEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): LambdaEnvironment {
  const faults: string[] = []
  const required = (name: string): string => {
    const value = environment[name]
    if (!value) faults.push(`${name} is not set`)
    return value ?? ''
  }
  const bytes = (name: string): number => {
    const value = required(name)
    const number = Number(value)
    if (value && !(/^\d+$/.test(value) && Number.isSafeInteger(number) && number > 0))
      faults.push(`${name} is ${JSON.stringify(value)}, not a number of bytes`)
    return number
  }
  const result = {
    blobBucket: required(LAMBDA_ENVIRONMENT.blobBucket),
    ledgerTable: required(LAMBDA_ENVIRONMENT.ledgerTable),
    maxArtifactBytes: bytes(LAMBDA_ENVIRONMENT.maxArtifactBytes),
    corsOrigins: (environment[LAMBDA_ENVIRONMENT.corsOrigins] ?? '').split(',').filter(Boolean),
    s3Endpoint: environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL || undefined,
  }
  if (faults.length > 0) throw new Error(`the environment is not complete: ${faults.join('; ')}`)
  return result
}
