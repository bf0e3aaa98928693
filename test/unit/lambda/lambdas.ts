/** Both Lambda handlers, wired as deployed, over the stand-in for S3 and DynamoDB. */
import type { APIGatewayProxyResult } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, vi } from 'vitest'
import type { LambdaHandler } from '#http/lambda'
import { LAMBDA_ENVIRONMENT } from '#protocol/environment'
import { ROUTES } from '#protocol/routes'
import { type AwsStandIn, startAwsStandIn } from '#support/aws-stand-in'
import { type GatewayRequest, gatewayEvent } from '#support/gateway-event'

export interface Lambdas {
  readonly aws: AwsStandIn
  send(request: GatewayRequest): Promise<APIGatewayProxyResult>
}

/** Registers hooks that start them for a test file; use the result inside of tests only. */
export function useLambdas(): Lambdas {
  let aws: AwsStandIn | undefined
  const handlers: Record<string, LambdaHandler> = {}
  beforeAll(async () => {
    aws = await startAwsStandIn()
    for (const [name, value] of Object.entries(lambdaEnvironment(aws.url))) vi.stubEnv(name, value)
    vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    handlers.read = (await import('../../../lambda/read.ts')).handler
    handlers.write = (await import('../../../lambda/write.ts')).handler
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
    await aws?.close()
  })
  beforeEach(() => aws?.reset())
  const running = () => {
    if (!aws) throw new Error('the stand-in runs only inside of tests')
    return aws
  }
  return {
    get aws() {
      return running()
    },
    async send(request) {
      const handler = handlers[ROUTES[request.route].access]
      if (!handler) throw new Error('the handlers run only inside of tests')
      return handler(gatewayEvent(request))
    },
  }
}

/** What a Lambda finds in its environment, with the stand-in where AWS would be. */
export const lambdaEnvironment = (endpoint: string): Record<string, string> => ({
  [LAMBDA_ENVIRONMENT.blobBucket]: 'blobs',
  [LAMBDA_ENVIRONMENT.ledgerTable]: 'ledger',
  [LAMBDA_ENVIRONMENT.maxArtifactBytes]: '5368709120',
  [LAMBDA_ENVIRONMENT.corsOrigins]: '',
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_SESSION_TOKEN: 'session',
})
