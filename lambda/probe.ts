/**
 * The Lambda function that asks the deployed API for its health every five minutes, as a caller does: through the gateway, signed with
 * the credentials of its role. It reads and stores no artifact. An unhealthy answer fails the invocation, which fires an alarm.
 */
import { authorizer } from '../lib/client/api/auth.ts'
import { nodePlatform } from '../lib/client/node/platform.ts'
import { PROBE_URL_VARIABLE } from '../lib/deployment/environment.ts'

/** Below the function's time-out of 30 seconds, in milliseconds. */
const ANSWER_MS = 20_000

const root = new URL(process.env[PROBE_URL_VARIABLE] ?? '')
const { AWS_REGION: region, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
const credentials = async () => ({
  accessKeyId: AWS_ACCESS_KEY_ID ?? '',
  secretAccessKey: AWS_SECRET_ACCESS_KEY ?? '',
  ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
})
const authorize = authorizer(
  { kind: 'iam', credentials, ...(region === undefined ? {} : { region }) },
  root,
  nodePlatform(),
)

/** @throws Error with the response if it is not 200, or if none comes in time. */
export async function handler(): Promise<void> {
  const url = new URL(`${root.href.replace(/\/$/, '')}/health`)
  const headers = await authorize.headers({ method: 'GET', url, headers: {} })
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS) })
  if (response.status !== 200)
    throw new Error(`GET ${url.pathname} is ${response.status}: ${(await response.text()).slice(0, 1000)}`)
}
