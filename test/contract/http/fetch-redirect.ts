/** A front that redirects to the store: the redirect, and the response of its target (docs/http-api.md, section 5). */
import { beforeAll, describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import { type HeaderLines, header } from '../../support/raw-http.ts'
import { IMMUTABLE } from './fetch.ts'
import { ALL_BYTES, get, type Stored, stored, versionPath } from './requests.ts'
import type { TargetThunk } from './target.ts'

export function describeFetchRedirect(target: TargetThunk): void {
  describe('fetch from a server that redirects', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target(), ALL_BYTES, [['Content-Type', 'text/x-all; charset=latin1']])
    })
    const fetch = (headers: HeaderLines = [], query = '') =>
      get(target(), `${versionPath(one.ref)}${query}`, headers)
    const locate = async (headers: HeaderLines = []) => header(await fetch(headers), 'Location') ?? ''

    test('307 with Location, X-Artifact-Ref, X-Artifact-Digest, X-Artifact-Size and no-store', async () => {
      for (const query of ['', `?digest=${one.digest}`]) {
        const response = await fetch([], query)
        expect(response.status).toBe(307)
        expect(header(response, 'Location')).toMatch(/^https?:\/\//)
        const { bucketId, artifactId, version } = one.ref
        expect(header(response, 'X-Artifact-Ref')).toBe(`${bucketId}/${artifactId}/${version}`)
        expect(header(response, 'X-Artifact-Digest')).toBe(one.digest)
        expect(header(response, 'X-Artifact-Size')).toBe('256')
        expect(header(response, 'Cache-Control')).toBe('no-store')
      }
    })

    test('the target returns the bytes with the promised headers, and requires none', async () => {
      const answer = await target().follow(await locate())
      expect(answer.status).toBe(200)
      expect(answer.body).toEqual(one.bytes)
      expect(header(answer, 'Content-Type')).toBe('text/x-all; charset=latin1')
      expect(header(answer, 'Content-Length')).toBe('256')
      expect(header(answer, 'Content-Disposition')).toBe(
        `attachment; filename="${one.ref.artifactId}-${one.ref.version}"`,
      )
      expect(header(answer, 'Cache-Control')).toBe(IMMUTABLE)
    })

    test('Range passes through the redirect', async () => {
      const range: HeaderLines = [['Range', 'bytes=65-69']]
      expect((await fetch(range)).status).toBe(307)
      const answer = await target().follow(await locate(range), range)
      expect(answer.status).toBe(206)
      expect(answer.body.toString()).toBe('ABCDE')
      expect(header(answer, 'Content-Range')).toBe('bytes 65-69/256')
    })

    test('a Range beyond the end is redirected, or refused with 416', async () => {
      const response = await fetch([['Range', 'bytes=256-']])
      if (response.status !== 307) expectProblem(response, 'range_not_satisfiable')
    })

    test('zero bytes can be fetched', async () => {
      const empty = await stored(target(), '')
      const response = await get(target(), versionPath(empty.ref))
      const answer = await target().follow(header(response, 'Location') ?? '')
      expect([answer.status, answer.body.length]).toEqual([200, 0])
    })

    test.for(['If-Match', 'If-Range'] as const)('%s on GET is 400 and points to ?digest=', async (name) => {
      const problem = expectFaults(
        await fetch([
          [name, one.etag],
          ['Range', 'bytes=0-0'],
        ]),
        `header ${name}`,
      )
      expect(JSON.stringify(problem)).toContain('?digest=')
    })

    test('both headers together are reported in one response', async () => {
      const headers: HeaderLines = [
        ['If-Match', one.etag],
        ['If-Range', one.etag],
      ]
      expectFaults(await fetch(headers), 'header If-Match', 'header If-Range')
    })

    test('the redirect must not be cached, and its URL is short-lived', async (context) => {
      const expires = new URL(await locate()).searchParams.get('X-Amz-Expires')
      if (expires === null) context.skip('the store of this front signs in another way')
      expect(Number(expires)).toBeLessThanOrEqual(3600)
    })
  })
}
