/** Fetching by the exact reference, on every front (docs/http-api.md, section 5). */
import { beforeAll, describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import { type HeaderLines, header, type RawResponse } from '../../support/raw-http.ts'
import {
  ALL_BYTES,
  entryPath,
  fetchBytes,
  freshRef,
  get,
  json,
  OTHER_DIGEST,
  type Stored,
  sha256,
  sha256Base64,
  stored,
  versionPath,
} from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

export const IMMUTABLE = 'private, max-age=31536000, immutable'

/** Checks the headers that 200, 206, 304 and HEAD carry. */
export function expectFetchHeaders(response: RawResponse, one: Stored): void {
  const { artifactId, version } = one.ref
  expect({
    etag: header(response, 'ETag'),
    digest: header(response, 'X-Artifact-Digest'),
    ref: header(response, 'X-Artifact-Ref'),
    size: header(response, 'X-Artifact-Size'),
    repr: header(response, 'Repr-Digest'),
    ranges: header(response, 'Accept-Ranges'),
    caching: header(response, 'Cache-Control'),
    disposition: header(response, 'Content-Disposition'),
    type: header(response, 'Content-Type'),
    policy: header(response, 'Content-Security-Policy'),
  }).toEqual({
    etag: one.etag,
    digest: one.digest,
    ref: `${one.ref.bucketId}/${artifactId}/${version}`,
    size: String(one.bytes.length),
    repr: `sha-256=:${sha256Base64(one.bytes)}:`,
    ranges: 'bytes',
    caching: IMMUTABLE,
    disposition: `attachment; filename="${artifactId}-${version}"`,
    type: one.entry.content_type,
    policy: 'sandbox',
  })
  // HTTP dates have no milliseconds.
  const modified = header(response, 'Last-Modified') ?? ''
  expect(modified).toMatch(/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
  expect(Date.parse(modified)).toBe(Math.floor(Date.parse(one.entry.created_at) / 1000) * 1000)
}

export function describeFetch(target: TargetThunk): void {
  describe('fetch', () => {
    let one: Stored
    beforeAll(async () => {
      const headers: HeaderLines = [
        ['Content-Type', 'text/plain; charset=latin1'],
        ['X-Uploaded-By', 'somebody'],
      ]
      one = await stored(target(), ALL_BYTES, headers, freshRef({ version: 'v1.0:rc+1' }))
    })
    const path = () => versionPath(one.ref)
    const head = (query = '', headers: HeaderLines = []) =>
      get(target(), `${path()}${query}`, headers, 'HEAD')

    test('GET returns exactly the bytes', async () => {
      expect(await fetchBytes(target(), path())).toEqual(Buffer.from(ALL_BYTES))
    })

    test('HEAD is 200 with the headers of the bytes, never a redirect, and no body', async () => {
      const response = await head()
      expect(response.status).toBe(200)
      expect(response.body).toHaveLength(0)
      expectFetchHeaders(response, one)
      const length = header(response, 'Content-Length')
      if (target().front === 'node-server') expect(length).toBe('256')
    })

    test('HEAD ignores Range and describes all bytes', async () => {
      const response = await head('', [['Range', 'bytes=0-0']])
      expect(response.status).toBe(200)
      expect(header(response, 'X-Artifact-Size')).toBe('256')
    })

    test('a version that is not stored is 404 on every one of its resources', async () => {
      const ref = freshRef()
      expectProblem(await get(target(), versionPath(ref)), 'version_not_found')
      expectProblem(await get(target(), `${versionPath(ref)}?digest=${OTHER_DIGEST}`), 'version_not_found')
      expectProblem(await get(target(), versionPath(ref), [['If-None-Match', '*']]), 'version_not_found')
      expectProblem(await get(target(), entryPath(ref)), 'version_not_found')
      expectProblem(await get(target(), `${versionPath(ref)}/download`), 'version_not_found')
      const response = await get(target(), versionPath(ref), [], 'HEAD')
      expect([response.status, response.body.length]).toEqual([404, 0])
    })

    test('another version of a stored artifact is 404: only the exact reference matches', async () => {
      const { version } = one.ref
      for (const near of [version.slice(0, -1), `${version}0`, 'latest'])
        expectProblem(await get(target(), versionPath({ ...one.ref, version: near })), 'version_not_found')
    })

    describe('?digest=', () => {
      test('with the stored digest returns the bytes', async () => {
        expect(await fetchBytes(target(), `${path()}?digest=${one.digest}`)).toEqual(one.bytes)
        expect((await head(`?digest=${one.digest}`)).status).toBe(200)
      })

      test('with another digest is 412 digest_differs, and names both digests', async () => {
        const problem = expectProblem(
          await get(target(), `${path()}?digest=${OTHER_DIGEST}`),
          'digest_differs',
        )
        expect(problem).toMatchObject({ expected_digest: OTHER_DIGEST, stored_digest: one.digest })
        expect((await head(`?digest=${OTHER_DIGEST}`)).status).toBe(412)
      })

      test.each([
        ['empty', ''],
        ['without prefix', sha256(ALL_BYTES).slice(7)],
        ['in upper case', sha256(ALL_BYTES).toUpperCase()],
        ['of another hash', `md5:${'0'.repeat(32)}`],
      ])('%s is 400', async (_, digest) => {
        expectFaults(await get(target(), `${path()}?digest=${digest}`), 'query digest')
        expect((await head(`?digest=${digest}`)).status).toBe(400)
      })
    })

    describe('If-None-Match', () => {
      test.for([
        ['the ETag', (): string => one.etag],
        ['*', (): string => '*'],
        ['a list with the ETag', (): string => `"x", ${one.etag},"y"`],
        ['the weak form of the ETag', (): string => `W/${one.etag}`],
      ] as const)('%s is 304 with the headers and no body, for GET and HEAD', async ([, field]) => {
        for (const method of ['GET', 'HEAD'] as const) {
          const response = await get(target(), path(), [['If-None-Match', field()]], method)
          expect(response.status, method).toBe(304)
          expect(response.body, method).toHaveLength(0)
          // If the path to the front removes headers from a 304, the header under test is still checked.
          if (target().cannotWitness['headers-of-304'] === undefined) expectFetchHeaders(response, one)
          else expect(header(response, 'ETag')).toBe(one.etag)
        }
      })

      test.for([
        ['another ETag', (): string => `"${OTHER_DIGEST}"`],
        ['a list without the ETag', (): string => '"x", W/"y"'],
      ] as const)('%s gives the bytes', async ([, field]) => {
        const headers: HeaderLines = [['If-None-Match', field()]]
        expect([200, 307]).toContain((await get(target(), path(), headers)).status)
        expect((await head('', headers)).status).toBe(200)
      })

      test('?digest= is checked first', async () => {
        const headers: HeaderLines = [['If-None-Match', '*']]
        expectProblem(await get(target(), `${path()}?digest=${OTHER_DIGEST}`, headers), 'digest_differs')
      })

      test('two header lines are one list', async (context) => {
        needs(context, target(), 'repeated-header')
        const headers: HeaderLines = [
          ['If-None-Match', '"x"'],
          ['If-None-Match', one.etag],
        ]
        expect((await get(target(), path(), headers)).status).toBe(304)
      })
    })

    test('If-None-Match without quotes is not an ETag, so it never gives 304', async () => {
      // RFC 9110 allows to ignore or refuse it; treating it as a match would be wrong.
      for (const field of ['x', one.digest])
        expect([200, 307, 400]).toContain((await get(target(), path(), [['If-None-Match', field]])).status)
    })

    test('If-Modified-Since with Last-Modified is 304, and counts only without If-None-Match (RFC 9110, section 13.2.2)', async () => {
      const since: HeaderLines = [['If-Modified-Since', header(await head(), 'Last-Modified') ?? '']]
      expect((await get(target(), path(), since)).status).toBe(304)
      expect((await head('', [...since, ['If-None-Match', '"x"']])).status).toBe(200)
      expect((await head('', [['If-Modified-Since', 'Sun, 06 Nov 1994 08:49:37 GMT']])).status).toBe(200)
    })

    test('an invalid date is ignored (RFC 9110, sections 13.1.3 and 13.1.4)', async () => {
      for (const text of ['2094', '2094-11-06', 'Tue, 31 Feb 2094 00:00:00 GMT'])
        expect((await head('', [['If-Modified-Since', text]])).status, text).toBe(200)
      expect((await head('', [['If-Unmodified-Since', '1994']])).status).toBe(200)
      expect((await head('', [['If-Unmodified-Since', 'Sun, 06 Nov 1994 08:49:37 GMT']])).status).toBe(412)
    })
  })

  describe('entry', () => {
    test('equals the response of the store, with exactly the members of section 3', async () => {
      const { ref, entry } = await stored(target(), 'x', [['X-Uploaded-By', 'somebody']])
      const response = await get(target(), entryPath(ref))
      expect(response.status).toBe(200)
      expect(header(response, 'Content-Type')).toMatch(/^application\/json/)
      expect(json(response)).toEqual(entry)
    })
  })
}
