import { describe, expect, it } from 'vitest'
import { NetworkError } from '../../../lib/client/api/network-error.ts'
import { DEFAULT_RETRY, retryDelay } from '../../../lib/client/api/retry.ts'
import { BucketError } from '../../../lib/domain/errors.ts'

const unavailable = (retryAfter?: number) =>
  new BucketError('unavailable', 'x', {}, retryAfter === undefined ? {} : { retryAfter })
const delay = (failures: number, error: unknown, random = 1) =>
  retryDelay(DEFAULT_RETRY, failures, error, random)

describe('the delay of a retry', () => {
  it('doubles each time up to a bound, with jitter over the upper half', () => {
    const policy = { ...DEFAULT_RETRY, attempts: 20 }
    expect([1, 2, 3, 4, 9].map((failures) => retryDelay(policy, failures, unavailable(), 1))).toEqual([
      250, 500, 1000, 2000, 8000,
    ])
    expect(delay(1, unavailable(), 0)).toBe(125)
  })

  it('stays a number after any number of failures', () => {
    const endless = { ...DEFAULT_RETRY, attempts: Number.POSITIVE_INFINITY }
    expect(retryDelay(endless, 1e9, unavailable(), 1)).toBe(8000)
    expect(retryDelay({ ...endless, baseMs: 0 }, 1e9, unavailable(), 1)).toBe(0)
  })

  it('is absent after the last attempt', () => {
    expect(delay(4, unavailable())).toBeDefined()
    expect(delay(5, unavailable())).toBeUndefined()
  })

  it('exists only for failures that a retry can change', () => {
    for (const kind of ['unreachable', 'interrupted', 'stalled'] as const)
      expect(delay(1, new NetworkError(kind, 'x'))).toBeDefined()
    expect(delay(1, new BucketError('throttled', 'x', {}))).toBeDefined()
    expect(delay(1, new NetworkError('unexpected_response', 'x'))).toBeUndefined()
    expect(delay(1, new BucketError('version_not_found', 'x', {}))).toBeUndefined()
    expect(delay(1, new BucketError('insufficient_storage', 'x', {}))).toBeUndefined()
    expect(delay(1, new Error('x'))).toBeUndefined()
  })

  it('is at least Retry-After, within a bound', () => {
    expect(delay(1, unavailable(3), 0)).toBe(3000)
    expect(delay(1, unavailable(0), 0)).toBe(125)
    expect(delay(1, unavailable(3600))).toBeUndefined()
  })
})
