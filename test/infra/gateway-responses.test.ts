/** What the gateway refuses by itself reads like every other refusal: problem details from the one table of errors. */
import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode } from '../../lib/domain/errors.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../../lib/domain/limits.ts'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { problemPath } from '../../lib/protocol/routes.ts'
import { synthesize } from './synthesized.ts'

interface Answer {
  readonly status: string
  readonly headers: Record<string, string>
  readonly problem: Record<string, unknown>
}

function answers(service?: BucketServiceProps): Record<string, Answer> {
  const responses = Object.values(synthesize(service).resources('AWS::ApiGateway::GatewayResponse'))
  return Object.fromEntries(
    responses.map(({ Properties }) => {
      const templates = Properties.ResponseTemplates as Record<string, string>
      const headers = Object.entries(Properties.ResponseParameters as Record<string, string>).map(
        ([name, value]) =>
          [name.replace('gatewayresponse.header.', ''), value.replace(/^'|'$/g, '')] as const,
      )
      return [
        String(Properties.ResponseType),
        {
          status: String(Properties.StatusCode),
          headers: Object.fromEntries(headers),
          problem: JSON.parse(templates['application/json'] ?? 'null') as Record<string, unknown>,
        },
      ]
    }),
  )
}

const EXPECTED: Record<string, ErrorCode> = {
  MISSING_AUTHENTICATION_TOKEN: 'unauthorized',
  UNAUTHORIZED: 'unauthorized',
  INVALID_SIGNATURE: 'unauthorized',
  EXPIRED_TOKEN: 'unauthorized',
  ACCESS_DENIED: 'forbidden',
  INVALID_API_KEY: 'forbidden',
  WAF_FILTERED: 'forbidden',
  REQUEST_TOO_LARGE: 'inline_too_large',
  THROTTLED: 'throttled',
  QUOTA_EXCEEDED: 'throttled',
  RESOURCE_NOT_FOUND: 'route_not_found',
  INTEGRATION_FAILURE: 'unavailable',
  INTEGRATION_TIMEOUT: 'unavailable',
  DEFAULT_4XX: 'invalid_request',
  DEFAULT_5XX: 'unavailable',
}

describe('a refusal of the gateway', () => {
  it('has a code of the table for every type of refusal', () => {
    const codes = Object.entries(answers()).map(([type, { problem }]) => [type, problem.code])
    expect(Object.fromEntries(codes)).toEqual(EXPECTED)
  })

  it.each(Object.entries(EXPECTED))('%s says what the table says of %s', (type, code) => {
    const answer = answers()[type]
    const { status, title, retryable, next } = ERRORS[code]
    expect(answer?.status).toBe(String(status))
    expect(answer?.problem).toMatchObject({ type: problemPath(code), code, status, title, retryable, next })
    expect(answer?.problem.detail).toEqual(expect.stringMatching(/./))
    expect(answer?.headers).toMatchObject({
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    })
  })

  it('names the request, in the body and in a header', () => {
    for (const { headers, problem } of Object.values(answers())) {
      expect(problem.request_id).toBe('$context.requestId')
      expect(headers['X-Request-Id']).toBe('context.requestId')
    }
  })

  it('says when to come back, where coming back helps', () => {
    for (const [type, { headers, problem }] of Object.entries(answers()))
      expect(/^[1-9]\d*$/.test(headers['Retry-After'] ?? ''), type).toBe(problem.retryable)
  })

  it('tells how much one request may carry', () => {
    expect(answers().REQUEST_TOO_LARGE?.problem.max_inline_bytes).toBe(LAMBDA_MAX_INLINE_BYTES)
  })

  it('lists what is wrong with a malformed request, as every invalid_request does', () => {
    expect(answers().DEFAULT_4XX?.problem.errors).toEqual([
      { in: 'header', name: 'request', detail: expect.stringContaining('$context.error.responseType') },
    ])
  })

  it('says which credentials would do', () => {
    expect(answers().UNAUTHORIZED?.headers['WWW-Authenticate']).toBe('AWS4-HMAC-SHA256')
    const bearer = answers({
      access: 'lambda',
      authorizerFunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:f',
    })
    expect(bearer.UNAUTHORIZED?.headers['WWW-Authenticate']).toBe('Bearer')
    expect(answers().THROTTLED?.headers).not.toHaveProperty('WWW-Authenticate')
  })

  it('uses no variable that the gateway does not fill in', () => {
    for (const { problem } of Object.values(answers()))
      expect(
        JSON.stringify(problem).replace(/\$context\.(requestId|error\.responseType)\b/g, ''),
      ).not.toMatch(/[$#]/)
  })

  it('can be read by the web page of the one named origin', () => {
    const origin = 'https://app.example.com'
    expect(answers({ corsOrigins: [origin] }).THROTTLED?.headers).toMatchObject({
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Expose-Headers': expect.stringContaining('Retry-After'),
    })
    expect(answers().THROTTLED?.headers).not.toHaveProperty('Access-Control-Allow-Origin')
  })
})
