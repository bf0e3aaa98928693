/**
 * How a request proves who sends it. Only requests to the API itself are authorized; presigned requests and redirect
 * targets get none of this, because stores refuse them and others must not learn them.
 */

import { digestHex, EMPTY_DIGEST } from '../../domain/digest.ts'
import { HEADERS } from '../../protocol/headers.ts'
import type { AwsCredentials, Platform } from '../platform.ts'

export type Auth =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: string }
  /** The key and nothing else; `BucketClientOptions.apiKey` sends one in addition to other credentials. */
  | { readonly kind: 'api-key'; readonly key: string }
  | {
      readonly kind: 'iam'
      /** Read from the host of an `execute-api` address when left out. */
      readonly region?: string
      /** In Node the usual AWS chain when left out; asked again for every request. */
      readonly credentials?: () => Promise<AwsCredentials>
    }

export interface Unauthorized {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** SHA-256 of the body, 64 hex digits; nothing for an empty body. */
  readonly bodySha256?: string | undefined
}

export interface Authorizer {
  /** @returns the headers of the request and those that authorize it. */
  headers(request: Unauthorized): Promise<Record<string, string>>
  /**
   * Takes the time of the server for that of signatures, if the clock here is too wrong for them.
   *
   * @param serverTime milliseconds since the epoch.
   * @returns whether another attempt can succeed.
   */
  correctClock(serverTime: number): boolean
}

type Authorize = (request: Unauthorized) => Promise<Record<string, string>>

/** AWS refuses signatures that are more than 5 minutes off; the time of a response is not exact. Milliseconds. */
const CLOCK_TOLERANCE_MS = 4 * 60 * 1000

const EXECUTE_API = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/

/** IAM for an address of API Gateway's own, nothing for any other. */
export const authForHost = (root: URL): Auth =>
  EXECUTE_API.test(root.hostname) ? { kind: 'iam' } : { kind: 'none' }

/**
 * @param apiKey a key of a gateway's usage plan, which it requires in addition to other authorization. It is added to
 * the headers first, so that a signature covers it and a proxy cannot change it.
 * @throws TypeError when the region or the credentials of `iam` cannot be known, when no header can carry a token or key, or for an
 * unknown kind.
 */
export function authorizer(auth: Auth, root: URL, platform: Platform, apiKey?: string): Authorizer {
  let offsetMs = 0
  const authorize = authorizerOf(auth, root, platform, () => new Date(Date.now() + offsetMs))
  if (apiKey !== undefined) assertSendable('the API key', apiKey)
  const key = apiKey === undefined ? {} : { [HEADERS.apiKey]: apiKey }
  return {
    headers: (request) => authorize({ ...request, headers: { ...request.headers, ...key } }),
    correctClock(serverTime) {
      const offset = serverTime - Date.now()
      if (auth.kind !== 'iam' || !(Math.abs(offset - offsetMs) > CLOCK_TOLERANCE_MS)) return false
      offsetMs = offset
      return true
    },
  }
}

/** The constructor's TypeError for `iam` without a region; the command line names its own remedy for it. */
class MissingRegionError extends TypeError {
  readonly code = 'region_missing'
}

function authorizerOf(auth: Auth, root: URL, platform: Platform, now: () => Date): Authorize {
  switch (auth.kind) {
    case 'none':
      return async ({ headers }) => ({ ...headers })
    case 'bearer':
      assertSendable('the token', auth.token)
      return async ({ headers }) => ({ ...headers, authorization: `Bearer ${auth.token}` })
    case 'api-key':
      assertSendable('the API key', auth.key)
      return async ({ headers }) => ({ ...headers, [HEADERS.apiKey]: auth.key })
    case 'iam': {
      const region = auth.region ?? EXECUTE_API.exec(root.hostname)?.[1]
      if (region === undefined)
        throw new MissingRegionError(`iam needs a region, and ${root.hostname} does not name one`)
      const credentials = auth.credentials ?? platform.awsCredentials
      if (credentials === undefined)
        throw new TypeError('iam needs credentials here: give a function that returns them')
      return (request) => sign(request, region, credentials, now())
    }
    default:
      // For callers without types. The message does not repeat the value, which may be a secret.
      throw new TypeError(
        "unknown kind of auth; valid: none, bearer, api-key and iam, as in { kind: 'none' }",
      )
  }
}

/** Visible ASCII with spaces inside: every proxy passes these on unchanged (RFC 9110, section 5.5). */
const SENDABLE = /^[!-~](?:[ -~]*[!-~])?$/

function assertSendable(what: string, secret: string): void {
  if (typeof secret !== 'string') throw new TypeError(`${what} is missing, or is not a string`)
  if (secret === '') throw new TypeError(`${what} is empty`)
  if (!SENDABLE.test(secret))
    throw new TypeError(
      `${what} has a character that no header can carry, such as a line end at its end: give it without`,
    )
}

/**
 * Signature version 4 for `execute-api`. The known digest covers the body, so the body is not read again.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
async function sign(
  { method, url, headers, bodySha256 }: Unauthorized,
  region: string,
  credentials: () => Promise<AwsCredentials>,
  time: Date,
): Promise<Record<string, string>> {
  const { AwsV4Signer } = await import('aws4fetch')
  const { accessKeyId, secretAccessKey, sessionToken } = await credentials()
  const signed = await new AwsV4Signer({
    method,
    url: url.href,
    headers: { ...headers, 'x-amz-content-sha256': bodySha256 ?? digestHex(EMPTY_DIGEST) },
    service: 'execute-api',
    datetime: time.toISOString().replace(/[:-]|\.\d{3}/g, ''),
    region,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
  }).sign()
  return Object.fromEntries(signed.headers)
}
