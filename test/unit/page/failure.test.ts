/** Every failure says what happened, why, and what to do next, in words of the page. */
import { describe, expect, it } from 'vitest'
import { NetworkError } from '../../../lib/client/api/network-error.ts'
import type { Digest } from '../../../lib/domain/digest.ts'
import { BucketError, ERRORS, type ErrorCode } from '../../../lib/domain/errors.ts'
import { describeFailure } from '../../../lib/page/failure.ts'
import { entryOf } from '../../support/fake-artifacts.ts'

const refusal = (code: ErrorCode) => new BucketError(code, 'because', {} as never, { requestId: 'r-1' })

describe('describeFailure', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])(
    '%s has all three parts, and none of them names a request',
    (code) => {
      const error =
        code === 'invalid_request'
          ? BucketError.invalidRequest([{ name: 'ref', detail: 'is odd' }])
          : refusal(code)
      const { what, why, next } = describeFailure(error)
      expect([what, ...why, next].every((text) => text.length > 0)).toBe(true)
      expect(next).not.toMatch(/\b(GET|PUT|POST|DELETE|header)\b/)
    },
  )

  it('a conflict shows both digests', () => {
    const stored = entryOf('demo/model/v1', new TextEncoder().encode('stored'))
    const declared = `sha256:${'0'.repeat(64)}` as Digest
    const error = new BucketError('version_exists', 'stored already', {
      conflict: 'different',
      stored,
      declaredDigest: declared,
    })
    expect(describeFailure(error)).toMatchObject({
      what: 'This version is stored already, with other bytes',
      conflict: { stored, declared },
    })
  })

  it('lists every invalid input', () => {
    const error = BucketError.invalidRequest([
      { name: 'bucketId', detail: 'is empty' },
      { name: 'version', detail: 'is empty' },
    ])
    expect(describeFailure(error).why).toEqual(['bucket_id is empty', 'version is empty'])
  })

  it('names the two causes of a missing answer that a browser hides: the server, or corsOrigins', () => {
    const { next } = describeFailure(new NetworkError('unreachable', 'x cannot be reached'))
    expect(next).toContain('corsOrigins')
  })

  it.each(['NotReadableError', 'QuotaExceededError', 'NotAllowedError'])(
    '%s of the browser is explained',
    (name) => {
      const { what, next } = describeFailure(new DOMException('failed', name))
      expect(what).not.toBe('Unexpected failure')
      expect(next.length).toBeGreaterThan(20)
    },
  )

  it('is plain data, so that a worker can send it', () => {
    const failure = describeFailure(refusal('unavailable'))
    expect(structuredClone(failure)).toEqual(failure)
  })
})
