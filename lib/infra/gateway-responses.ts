/**
 * The responses that the gateway sends when it refuses a request itself. They are problem details from the same table as our own
 * errors, so that clients parse one form (docs/http-api.md, section 8).
 * Templates only substitute `$context` variables: headers are static, and the size of a request is unknown.
 */

import { ResponseType, type RestApi } from 'aws-cdk-lib/aws-apigateway'
import { BucketError, type ErrorCode, type ErrorDetails } from '../domain/errors.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../domain/limits.ts'
import { encodeProblem } from '../protocol/encode.ts'
import { ERROR_STATUS } from '../protocol/errors.ts'
import { HEADERS, MEDIA_TYPES } from '../protocol/headers.ts'
import { invalidInputs } from '../protocol/input-error.ts'
import type { ProblemMessage } from '../protocol/messages.ts'
import { EXPOSED_HEADERS } from '../protocol/response-headers.ts'
import type { Settings } from './settings.ts'

interface Refusal<C extends ErrorCode = ErrorCode> {
  readonly code: C
  readonly detail: string
  readonly details: ErrorDetails[C]
  /** Seconds. */
  readonly retryAfter?: number
}

const refusal = <C extends ErrorCode>(
  code: C,
  detail: string,
  details: ErrorDetails[C],
  retryAfter?: number,
): Refusal<C> => ({ code, detail, details, ...(retryAfter === undefined ? {} : { retryAfter }) })

const noCredentials = refusal('unauthorized', 'the request has no valid credentials', {})
const notAllowed = refusal('forbidden', 'these credentials do not allow this request', {})
const noAnswer = refusal('unavailable', 'the service failed or timed out', {}, 1)
const malformed = refusal(
  'invalid_request',
  'the gateway could not parse the request',
  invalidInputs([
    { in: 'header', name: 'request', detail: 'the gateway refused it: $context.error.responseType' },
  ]).details,
)

/**
 * Every gateway response type that a caller of this API can get; the two defaults cover all others.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
 */
export const REFUSALS: Readonly<Record<string, Refusal>> = {
  // Every path and method has a route, so this type always means a missing signature or token.
  MISSING_AUTHENTICATION_TOKEN: noCredentials,
  UNAUTHORIZED: noCredentials,
  INVALID_SIGNATURE: noCredentials,
  EXPIRED_TOKEN: noCredentials,
  ACCESS_DENIED: notAllowed,
  INVALID_API_KEY: refusal('forbidden', 'the request has no valid API key', {}),
  WAF_FILTERED: refusal('forbidden', 'the web application firewall refused the request', {}),
  REQUEST_TOO_LARGE: refusal('inline_too_large', 'the request is larger than the gateway accepts', {
    maxInlineBytes: LAMBDA_MAX_INLINE_BYTES,
  }),
  THROTTLED: refusal('throttled', 'too many requests right now', {}, 1),
  QUOTA_EXCEEDED: refusal('throttled', 'the quota of this API key is used up', {}, 3600),
  RESOURCE_NOT_FOUND: refusal('route_not_found', 'no route matches this path', {}),
  INTEGRATION_FAILURE: noAnswer,
  INTEGRATION_TIMEOUT: noAnswer,
  DEFAULT_4XX: malformed,
  DEFAULT_5XX: noAnswer,
}

/** Adds a gateway response for each refusal. */
export function addGatewayResponses(api: RestApi, settings: Settings): void {
  for (const [type, refused] of Object.entries(REFUSALS))
    api.addGatewayResponse(type, {
      type: ResponseType.of(type),
      statusCode: String(ERROR_STATUS[refused.code]),
      responseHeaders: headers(refused, settings),
      templates: { [MEDIA_TYPES.json]: JSON.stringify(problem(refused)) },
    })
}

/** @see docs/http-api.md, section 8 */
const problem = ({ code, detail, details }: Refusal): ProblemMessage =>
  encodeProblem(new BucketError(code, detail, details), { requestId: '$context.requestId' })

function headers({ code, retryAfter }: Refusal, settings: Settings): Record<string, string> {
  const [origin, ...others] = settings.corsOrigins
  const fixed: Record<string, string> = {
    'Content-Type': MEDIA_TYPES.problem,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    // RFC 9110, section 15.5.2: a 401 names an accepted scheme.
    ...(code === 'unauthorized'
      ? { 'WWW-Authenticate': settings.access === 'iam' ? 'AWS4-HMAC-SHA256' : 'Bearer' }
      : {}),
    // A static header can name one origin only. With several origins, pages cannot read the gateway's own refusals.
    ...(origin !== undefined && others.length === 0
      ? {
          'Access-Control-Allow-Origin': origin,
          'Access-Control-Expose-Headers': EXPOSED_HEADERS.join(','),
        }
      : {}),
  }
  const quoted = Object.fromEntries(Object.entries(fixed).map(([name, value]) => [name, `'${value}'`]))
  return { ...quoted, [HEADERS.requestId]: 'context.requestId' }
}
