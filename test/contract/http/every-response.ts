/** The headers of every response, success or refusal (docs/http-api.md, section 1). */
import { beforeAll, describe, expect, test } from 'vitest'
import { header, type RawResponse } from '../../support/raw-http.ts'
import {
  entryPath,
  freshRef,
  get,
  listPath,
  OTHER_DIGEST,
  put,
  RESOURCES,
  type Stored,
  stored,
  versionPath,
} from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

export function describeEveryResponse(target: TargetThunk): void {
  describe('every response', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target())
    })

    /** One response of each kind: what it is, how it is provoked, whether it may be kept by a cache. */
    const kinds: readonly (readonly [
      string,
      () => Promise<RawResponse>,
      'no-store' | 'immutable' | 'free',
    ])[] = [
      ...RESOURCES.flatMap(({ name, path, caching }) =>
        caching === 'bytes' ? [] : [[name, () => get(target(), path(one.ref)), caching] as const],
      ),
      ['201', () => put(target(), freshRef(), 'a'), 'no-store'],
      ['HEAD', () => get(target(), versionPath(one.ref), [], 'HEAD'), 'immutable'],
      ['304', () => get(target(), versionPath(one.ref), [['If-None-Match', one.etag]]), 'immutable'],
      ['400', () => get(target(), `${listPath(one.ref)}?limit=0`), 'no-store'],
      ['404 of a version', () => get(target(), versionPath(freshRef())), 'no-store'],
      ['404 of HEAD', () => get(target(), versionPath(freshRef()), [], 'HEAD'), 'no-store'],
      ['404 of a route', () => get(target(), '/v1/nothing'), 'no-store'],
      ['409', () => put(target(), one.ref, 'a'), 'no-store'],
      ['412', () => get(target(), `${versionPath(one.ref)}?digest=${OTHER_DIGEST}`), 'no-store'],
      [
        '412 of HEAD',
        () => get(target(), `${versionPath(one.ref)}?digest=${OTHER_DIGEST}`, [], 'HEAD'),
        'no-store',
      ],
    ]

    test.each(kinds)('%s carries X-Request-Id, nosniff and Server-Timing', async (_, send, caching) => {
      const response = await send()
      expect(header(response, 'X-Request-Id')).toMatch(/^\S{8,}$/)
      expect(header(response, 'X-Content-Type-Options')).toBe('nosniff')
      expect(header(response, 'Server-Timing')).toMatch(/^[\w-]+(;[^,]+)?(, ?[\w-]+(;[^,]+)?)*$/)
      if (caching === 'no-store') expect(header(response, 'Cache-Control')).toBe('no-store')
      if (caching === 'immutable')
        expect(header(response, 'Cache-Control')).toBe('private, max-age=31536000, immutable')
    })

    test('so do the bytes, or the redirect to them', async () => {
      const response = await get(target(), versionPath(one.ref))
      expect(header(response, 'X-Request-Id')).toMatch(/^\S{8,}$/)
      expect(header(response, 'X-Content-Type-Options')).toBe('nosniff')
      expect(header(response, 'Server-Timing')).toBeTruthy()
    })

    test('so do 405 and OPTIONS', async (context) => {
      needs(context, target(), 'any-method')
      for (const method of ['DELETE', 'OPTIONS']) {
        const response = await target().send({ method, path: versionPath(one.ref) })
        expect(header(response, 'X-Request-Id'), method).toMatch(/^\S{8,}$/)
        expect(header(response, 'X-Content-Type-Options'), method).toBe('nosniff')
        expect(header(response, 'Server-Timing'), method).toBeTruthy()
        expect(header(response, 'Cache-Control'), method).toBe('no-store')
      }
    })

    test('X-Request-Id differs for each request', async () => {
      const ids = new Set<string | undefined>()
      for (let at = 0; at < 3; at++) ids.add(header(await get(target(), '/v1'), 'X-Request-Id'))
      expect(ids.size).toBe(3)
    })

    test('cross-origin access is off by default', async (context) => {
      if (target().front === 'node-server')
        context.skip('the Node server refuses other origins: see its own tests')
      const origin = ['Origin', 'https://elsewhere.example'] as const
      const response = await get(target(), entryPath(one.ref), [origin])
      expect(header(response, 'Access-Control-Allow-Origin')).toBeUndefined()
      needs(context, target(), 'any-method')
      const preflight = await target().send({
        method: 'OPTIONS',
        path: entryPath(one.ref),
        headers: [origin, ['Access-Control-Request-Method', 'GET']],
      })
      expect(header(preflight, 'Access-Control-Allow-Origin')).toBeUndefined()
    })
  })
}
