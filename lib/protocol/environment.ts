/**
 * The names of the environment, once: the CDK constructs write them, the Lambda handlers and the command line read them.
 * `readEnvironment` checks all of them at once at start, so that a half-configured process never answers.
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
} as const
