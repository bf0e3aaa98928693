/** A front that sends the bytes itself: ranges and their preconditions (docs/http-api.md, section 5; RFC 9110, sections 13 and 14). */
import { beforeAll, describe, expect, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import { type HeaderLines, header } from '../../support/raw-http.ts'
import { expectFetchHeaders } from './fetch.ts'
import { freshRef, get, OTHER_DIGEST, type Stored, stored, versionPath } from './requests.ts'
import type { TargetThunk } from './target.ts'

export function describeFetchDirect(target: TargetThunk): void {
  describe('fetch from a server that sends the bytes itself', () => {
    let one: Stored
    let empty: Stored
    beforeAll(async () => {
      one = await stored(target(), '0123456789', [['Content-Type', 'text/x-digits']])
      empty = await stored(target(), '')
    })
    const fetch = (headers: HeaderLines = []) => get(target(), versionPath(one.ref), headers)

    test('200 with all headers and Content-Length', async () => {
      const response = await fetch()
      expect(response.status).toBe(200)
      expect(header(response, 'Content-Length')).toBe('10')
      expectFetchHeaders(response, one)
      expect(response.body.toString()).toBe('0123456789')
    })

    test('zero bytes: 200 with Content-Length 0', async () => {
      const response = await get(target(), versionPath(empty.ref))
      expect([response.status, response.body.length]).toEqual([200, 0])
      expect(header(response, 'Content-Length')).toBe('0')
      expectFetchHeaders(response, empty)
    })

    test.for([
      ['bytes=0-0', '0', '0-0'],
      ['bytes=2-4', '234', '2-4'],
      ['bytes=5-', '56789', '5-9'],
      ['bytes=9-9', '9', '9-9'],
      ['bytes=-3', '789', '7-9'],
      ['bytes=-100', '0123456789', '0-9'],
      ['bytes=8-100', '89', '8-9'],
      ['bytes=0-99999999999999999999', '0123456789', '0-9'],
    ] as const)('Range: %s is 206 with %j', async ([range, bytes, span]) => {
      const response = await fetch([['Range', range]])
      expect(response.status).toBe(206)
      expect(response.body.toString()).toBe(bytes)
      expect(header(response, 'Content-Range')).toBe(`bytes ${span}/10`)
      expect(header(response, 'Content-Length')).toBe(String(bytes.length))
      expectFetchHeaders(response, one)
    })

    test.for(['bytes=10-', 'bytes=10-20', 'bytes=-0', 'bytes=99999999999999999999-'])(
      'Range: %s is 416 with the size',
      async (range) => {
        const response = await fetch([['Range', range]])
        expectProblem(response, 'range_not_satisfiable')
        expect(header(response, 'Content-Range')).toBe('bytes */10')
      },
    )

    test.for(['items=0-1', 'digits 0-1'])('Range: %s has an unknown unit and is ignored', async (range) => {
      const response = await fetch([['Range', range]])
      expect([response.status, response.body.toString()]).toEqual([200, '0123456789'])
    })

    test.for(['bytes=5-2', 'bytes=a-b', 'bytes=', 'bytes=-', 'bytes=0x1-2'])(
      'Range: %s is invalid and ignored: all bytes are sent',
      async (range) => {
        const response = await fetch([['Range', range]])
        // RFC 9110, section 14.2, leaves both open; a part of the bytes as 206 would be wrong.
        expect([200, 400, 416]).toContain(response.status)
        if (response.status === 200) expect(response.body.toString()).toBe('0123456789')
      },
    )

    test('several ranges may be answered with 200', async () => {
      const response = await fetch([['Range', 'bytes=0-1,8-9']])
      expect([200, 206]).toContain(response.status)
      if (response.status === 200) expect(response.body.toString()).toBe('0123456789')
      else expect(header(response, 'Content-Type')).toMatch(/^multipart\/byteranges/)
    })

    test('a range of zero bytes is 416', async () => {
      const response = await get(target(), versionPath(empty.ref), [['Range', 'bytes=0-0']])
      expectProblem(response, 'range_not_satisfiable')
      expect(header(response, 'Content-Range')).toBe('bytes */0')
    })

    test.for([
      ['the ETag', (): string => one.etag],
      ['*', (): string => '*'],
      ['a list with the ETag', (): string => `"x", ${one.etag}`],
    ] as const)('If-Match: %s gives the bytes', async ([, field]) => {
      expect((await fetch([['If-Match', field()]])).status).toBe(200)
    })

    test.for([
      ['another ETag', (): string => `"${OTHER_DIGEST}"`],
      ['the weak form of the ETag', (): string => `W/${one.etag}`],
      ['a list without the ETag', (): string => `"x", "${OTHER_DIGEST}"`],
    ] as const)('If-Match: %s is 412 digest_differs', async ([, field]) => {
      const problem = expectProblem(await fetch([['If-Match', field()]]), 'digest_differs')
      expect(problem).toMatchObject({ stored_digest: one.digest })
      const head = await get(target(), versionPath(one.ref), [['If-Match', field()]], 'HEAD')
      expect(head.status).toBe(412)
    })

    test.for([
      ['the digest', (): string => `"${OTHER_DIGEST}"`, OTHER_DIGEST],
      ['no digest', (): string => '"x"', null],
      ['no digest, where a weak tag names one', (): string => `W/${one.etag}`, null],
    ] as const)('If-Match: %s that was asked for is told', async ([, field, expected]) => {
      const problem = expectProblem(await fetch([['If-Match', field()]]), 'digest_differs')
      expect(problem).toMatchObject({ expected_digest: expected })
    })

    test('If-Match on a version that is not stored is 404', async () => {
      expectProblem(await get(target(), versionPath(freshRef()), [['If-Match', '*']]), 'version_not_found')
    })

    test('preconditions are evaluated before the range (RFC 9110, section 13.2.2)', async () => {
      const beyond: HeaderLines = [['Range', 'bytes=10-']]
      expect((await fetch([...beyond, ['If-None-Match', one.etag]])).status).toBe(304)
      expect((await fetch([...beyond, ['If-Match', '"x"']])).status).toBe(412)
      expect(
        (
          await fetch([
            ['If-Match', one.etag],
            ['If-None-Match', one.etag],
          ])
        ).status,
      ).toBe(304)
      expect(
        (
          await fetch([
            ['If-Match', one.etag],
            ['Range', 'bytes=0-0'],
          ])
        ).status,
      ).toBe(206)
    })

    test('If-Range with the ETag returns the range', async () => {
      const response = await fetch([
        ['Range', 'bytes=2-4'],
        ['If-Range', one.etag],
      ])
      expect([response.status, response.body.toString()]).toEqual([206, '234'])
    })

    test.for([
      ['another ETag', (): string => `"${OTHER_DIGEST}"`],
      ['the weak form of the ETag', (): string => `W/${one.etag}`],
      ['a date that is not Last-Modified', (): string => 'Sun, 06 Nov 1994 08:49:37 GMT'],
      ['what is neither', (): string => 'nonsense'],
    ] as const)('If-Range with %s gives the whole', async ([, field]) => {
      for (const range of ['bytes=2-4', 'bytes=10-']) {
        const response = await fetch([
          ['Range', range],
          ['If-Range', field()],
        ])
        expect([response.status, response.body.toString()]).toEqual([200, '0123456789'])
      }
    })

    test('If-Range without Range is ignored', async () => {
      expect((await fetch([['If-Range', one.etag]])).status).toBe(200)
    })

    test('the ranges of a download add up to the bytes', async () => {
      const large = await stored(target(), Buffer.alloc(Math.min(target().maxInlineBytes, 200_000), 'shard'))
      const half = Math.floor(large.bytes.length / 2)
      const parts: Buffer[] = []
      for (const range of [`bytes=0-${half - 1}`, `bytes=${half}-`])
        parts.push((await get(target(), versionPath(large.ref), [['Range', range]])).body)
      expect(Buffer.concat(parts).equals(large.bytes)).toBe(true)
    })
  })
}
