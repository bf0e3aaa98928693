/** The environment of a Lambda function, with a stand-in in place of AWS. */
import { LAMBDA_ENVIRONMENT } from '../../lib/deployment/environment.ts'

export const lambdaEnvironment = (endpoint: string): Record<string, string> => ({
  [LAMBDA_ENVIRONMENT.blobBucket]: 'blobs',
  [LAMBDA_ENVIRONMENT.stagingBucket]: 'staging',
  [LAMBDA_ENVIRONMENT.ledgerTable]: 'ledger',
  [LAMBDA_ENVIRONMENT.uploadsTable]: 'uploads',
  [LAMBDA_ENVIRONMENT.verificationQueueUrl]: `${endpoint}/queue`,
  [LAMBDA_ENVIRONMENT.deadLetterQueueArn]: 'arn:aws:sqs:eu-west-1:123456789012:dead',
  [LAMBDA_ENVIRONMENT.maxArtifactBytes]: '5368709120',
  [LAMBDA_ENVIRONMENT.presignedSeconds]: '3600',
  [LAMBDA_ENVIRONMENT.serviceName]: 'Bucket-Service',
  [LAMBDA_ENVIRONMENT.corsOrigins]: '',
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_SESSION_TOKEN: 'session',
})
