/**
 * Unknown query parameters are refused, so that callers do not believe that a filter was applied (docs/http-api.md, section 1).
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { expectFaults } from '../../support/problem.ts'
import {
  entryPath,
  freshRef,
  get,
  json,
  listPath,
  put,
  RESOURCES,
  type Stored,
  sha256,
  stored,
  versionPath,
} from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

export function describeQueries(target: TargetThunk): void {
  describe('query parameters', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target())
    })

    test('an unknown one is refused on every resource', async () => {
      for (const { path } of RESOURCES)
        expectFaults(await get(target(), `${path(one.ref)}?tag=best`), 'query tag')
      expect((await get(target(), `${versionPath(one.ref)}?tag=best`, [], 'HEAD')).status).toBe(400)
    })

    test('an unknown one on a store is refused, and nothing is stored', async () => {
      const ref = freshRef()
      const path = `${versionPath(ref)}?overwrite=true`
      const headers = [['X-Artifact-Digest', sha256('x')]] as const
      expectFaults(
        await target().send({ method: 'PUT', path, headers, body: Buffer.from('x') }),
        'query overwrite',
      )
      expect((await get(target(), entryPath(ref))).status).toBe(404)
    })

    test('one of another resource is unknown here', async () => {
      expectFaults(await get(target(), `${entryPath(one.ref)}?digest=${one.digest}`), 'query digest')
      expectFaults(await get(target(), `${versionPath(one.ref)}?limit=1`), 'query limit')
    })

    test('a repeated one is refused, even with the same value', async (context) => {
      needs(context, target(), 'repeated-query')
      expectFaults(await get(target(), `${listPath(one.ref)}?limit=1&limit=1`), 'query limit')
      const digest = `digest=${one.digest}`
      expectFaults(await get(target(), `${versionPath(one.ref)}?${digest}&${digest}`), 'query digest')
    })

    test('all errors are reported at once', async () => {
      const path = `${listPath(one.ref)}?limit=0&cursor=nonsense&filter=x&order=desc`
      expectFaults(await get(target(), path), 'query limit', 'query cursor', 'query filter', 'query order')
    })

    test('X-Amz-* parameters of a signed request are ignored', async () => {
      const signed = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Signature=00'
      expect(json(await get(target(), `${entryPath(one.ref)}?${signed}`))).toEqual(one.entry)
      expect((await get(target(), `${listPath(one.ref)}?limit=5&${signed}`)).status).toBe(200)
      const ref = freshRef()
      const path = `${versionPath(ref)}?${signed}`
      expect((await put(target(), ref, 'signed', [], { path })).status).toBe(201)
    })

    test('percent-encoded and plain values are the same value', async () => {
      const encoded = one.digest.replace(':', '%3A')
      for (const digest of [one.digest, encoded])
        expect((await get(target(), `${versionPath(one.ref)}?digest=${digest}`, [], 'HEAD')).status).toBe(200)
    })
  })
}
