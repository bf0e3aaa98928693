/** The time limits of the functions. */
import type { LambdaSide } from '../deployment/environment.ts'

/**
 * How long one invocation may take, in seconds. The API functions stay below the gateway's limit of 29 seconds, so that a slow
 * call still ends with our own response. The verifier gets Lambda's maximum, which bounds the largest artifact.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const TIMEOUT_SECONDS = { read: 28, write: 28, verify: 900 } as const satisfies Record<
  LambdaSide,
  number
>
