/** The Lambda handlers, wired as deployed, over the stand-in for S3, DynamoDB and SQS. */
import type { APIGatewayProxyResult, SQSEvent } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, vi } from 'vitest'
import type { MessageHandler } from '../../../lib/aws/sqs-messages.ts'
import type { LambdaHandler } from '../../../lib/http/lambda.ts'
import { ROUTES } from '../../../lib/protocol/routes.ts'
import { type AwsStandIn, startAwsStandIn } from '../../support/aws-stand-in.ts'
import { type GatewayRequest, gatewayEvent } from '../../support/gateway-event.ts'
import { lambdaEnvironment } from '../../support/lambda-environment.ts'

export interface Lambdas {
  readonly aws: AwsStandIn
  send(request: GatewayRequest): Promise<APIGatewayProxyResult>
  /** Delivers the messages that were sent, each once, and forgets them. @returns how many come again. */
  deliver(): Promise<number>
}

/** Registers hooks that start them for a test file; use the result inside of tests only. */
export function useLambdas(): Lambdas {
  let aws: AwsStandIn | undefined
  const handlers: Record<string, LambdaHandler> = {}
  let verify: MessageHandler | undefined
  beforeAll(async () => {
    aws = await startAwsStandIn()
    for (const [name, value] of Object.entries(lambdaEnvironment(aws.url))) vi.stubEnv(name, value)
    vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    handlers.read = (await import('../../../lambda/read.ts')).handler
    handlers.write = (await import('../../../lambda/write.ts')).handler
    verify = (await import('../../../lambda/verify.ts')).handler
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
    async deliver() {
      const messages = running().messages.splice(0)
      const Records = messages.map((body, at) => ({
        body,
        messageId: String(at),
        receiptHandle: String(at),
        eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:queue',
        attributes: { ApproximateReceiveCount: '1', SentTimestamp: String(Date.now()) },
      }))
      const context = { awsRequestId: 'invocation', getRemainingTimeInMillis: () => 900_000 }
      // The handler reads nothing else of a record.
      const result = await verify?.({ Records } as unknown as SQSEvent, context)
      return result?.batchItemFailures.length ?? messages.length
    },
  }
}
