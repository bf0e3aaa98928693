/** When the gateway refuses a request itself, clients get problem details from the table of errors, as from our own code. */

import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode } from '../../lib/domain/errors.ts'
import { LAMBDA_MAX_INLINE_BYTES } from '../../lib/domain/limits.ts'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { ERROR_STATUS } from '../../lib/protocol/errors.ts'
import { PROBLEM_TEXTS } from '../../lib/protocol/problem-texts.ts'
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

describe('a gateway response', () => {
  it('has an error code for every response type', () => {
    const codes = Object.entries(answers()).map(([type, { problem }]) => [type, problem.code])
    expect(Object.fromEntries(codes)).toEqual(EXPECTED)
  })

  it.each(Object.entries(EXPECTED))('%s has the members of %s in the table of errors', (type, code) => {
    const answer = answers()[type]
    const { retryable } = ERRORS[code]
    const { title, next } = PROBLEM_TEXTS[code]
    const status = ERROR_STATUS[code]
    expect(answer?.status).toBe(String(status))
    expect(answer?.problem).toMatchObject({ type: problemPath(code), code, status, title, retryable, next })
    expect(answer?.problem.detail).toEqual(expect.stringMatching(/./))
    expect(answer?.headers).toMatchObject({
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    })
  })

  it('has the request id in its body and in a header', () => {
    for (const { headers, problem } of Object.values(answers())) {
      expect(problem.request_id).toBe('$context.requestId')
      expect(headers['X-Request-Id']).toBe('context.requestId')
    }
  })

  it('has Retry-After if and only if a retry helps', () => {
    for (const [type, { headers, problem }] of Object.entries(answers()))
      expect(/^[1-9]\d*$/.test(headers['Retry-After'] ?? ''), type).toBe(problem.retryable)
  })

  it('states the largest inline body', () => {
    expect(answers().REQUEST_TOO_LARGE?.problem.max_inline_bytes).toBe(LAMBDA_MAX_INLINE_BYTES)
  })

  it('lists the errors of a malformed request, as every invalid_request does', () => {
    expect(answers().DEFAULT_4XX?.problem.errors).toEqual([
      { in: 'header', name: 'request', detail: expect.stringContaining('$context.error.responseType') },
    ])
  })

  it('names the accepted authentication scheme', () => {
    expect(answers().UNAUTHORIZED?.headers['WWW-Authenticate']).toBe('AWS4-HMAC-SHA256')
    const bearer = answers({
      access: 'lambda',
      authorizerFunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:f',
    })
    expect(bearer.UNAUTHORIZED?.headers['WWW-Authenticate']).toBe('Bearer')
    expect(answers().THROTTLED?.headers).not.toHaveProperty('WWW-Authenticate')
  })

  it('uses only variables that the gateway substitutes', () => {
    for (const { problem } of Object.values(answers()))
      expect(
        JSON.stringify(problem).replace(/\$context\.(requestId|error\.responseType)\b/g, ''),
      ).not.toMatch(/[$#]/)
  })

  it('is readable by pages of the only configured origin', () => {
    const origin = 'https://app.example.com'
    expect(answers({ corsOrigins: [origin] }).THROTTLED?.headers).toMatchObject({
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Expose-Headers': expect.stringContaining('Retry-After'),
    })
    expect(answers().THROTTLED?.headers).not.toHaveProperty('Access-Control-Allow-Origin')
  })
})
