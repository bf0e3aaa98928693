/** The closed list of codes, written down a second time: a change of status or retryability is a change of the contract. */

import { describe, expect, it } from 'vitest'
import {
  BucketError,
  ERRORS,
  type ErrorCode,
  isBucketError,
  isErrorCode,
} from '../../../lib/domain/errors.ts'
import { encodeProblem } from '../../../lib/protocol/encode.ts'
import { ERROR_STATUS } from '../../../lib/protocol/errors.ts'
import { invalidInputs } from '../../../lib/protocol/input-error.ts'
import { PROBLEM_TEXTS } from '../../../lib/protocol/problem-texts.ts'

/** docs/http-api.md, section 8. */
const CONTRACT = {
  invalid_request: [400, false],
  digest_mismatch: [400, false],
  unauthorized: [401, false],
  forbidden: [403, false],
  route_not_found: [404, false],
  version_not_found: [404, false],
  upload_not_found: [404, false],
  method_not_allowed: [405, false],
  request_timeout: [408, true],
  version_exists: [409, false],
  upload_incomplete: [409, false],
  upload_conflict: [409, false],
  digest_differs: [412, false],
  precondition_failed: [412, false],
  artifact_too_large: [413, false],
  inline_too_large: [413, false],
  uri_too_long: [414, false],
  unsupported_content_encoding: [415, false],
  range_not_satisfiable: [416, false],
  host_not_allowed: [421, false],
  throttled: [429, true],
  headers_too_large: [431, false],
  internal: [500, true],
  blob_lost: [500, false],
  unavailable: [503, true],
  insufficient_storage: [507, false],
}

describe('the table of errors', () => {
  it('has the codes of the contract, with their status and whether a retry helps', () => {
    const table = Object.entries(ERRORS).map(([code, rule]) => [
      code,
      [ERROR_STATUS[code as ErrorCode], rule.retryable],
    ])
    expect(Object.fromEntries(table)).toEqual(CONTRACT)
  })

  it.each(Object.entries(PROBLEM_TEXTS))(
    'says of %s what it means and what to do, in sentences',
    (_, text) => {
      expect(text.title).toMatch(/^[A-Z][^.]+$/)
      expect(text.meaning).toMatch(/^[A-Z].+\.$/)
      expect(text.next).toMatch(/^[A-Z].+\.$/)
    },
  )

  it('recognizes only its own codes', () => {
    expect(isErrorCode('version_exists')).toBe(true)
    for (const text of ['', 'toString', 'constructor', 'VERSION_EXISTS'])
      expect(isErrorCode(text)).toBe(false)
  })
})

describe('a BucketError', () => {
  it('takes retryable from the table', () => {
    const error = BucketError.unavailable('the ledger does not answer', new Error('socket'), 3)
    expect(error).toMatchObject({
      retryable: true,
      retryAfter: 3,
      next: undefined,
    })
    expect(error.cause).toEqual(new Error('socket'))
    expect(isBucketError(error, 'unavailable')).toBe(true)
    expect(isBucketError(error, 'internal')).toBe(false)
    expect(isBucketError(new Error('unavailable'), 'unavailable')).toBe(false)
  })

  it('states a single invalid input in full, and several by name', () => {
    const error = (name: string) => ({ in: 'header' as const, name, detail: 'is odd' })
    expect(BucketError.invalidRequest([error('a')]).message).toBe('a is odd')
    expect(invalidInputs([error('A')]).message).toBe('header A is odd')
    const body = { in: 'body', name: 'body', detail: 'is not JSON in UTF-8' } as const
    expect(invalidInputs([body]).message).toBe('the body is not JSON in UTF-8')
    expect(invalidInputs([error('A'), error('B')]).message).toBe('2 inputs are invalid: A, B')
  })

  it('becomes a problem with the common members and those of its code', () => {
    const error = new BucketError('inline_too_large', 'too much', { size: 9, maxInlineBytes: 8 })
    expect(encodeProblem(error, { requestId: 'r-1' })).toEqual({
      type: '/v1/problems/inline_too_large',
      title: PROBLEM_TEXTS.inline_too_large.title,
      status: 413,
      detail: 'too much',
      code: 'inline_too_large',
      retryable: false,
      next: PROBLEM_TEXTS.inline_too_large.next,
      request_id: 'r-1',
      size: 9,
      max_inline_bytes: 8,
    })
  })
})
