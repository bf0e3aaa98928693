/** The existing paths and methods, and the responses to all others (docs/http-api.md, section 2). */
import { beforeAll, describe, expect, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import { entryPath, get, json, listPath, RESOURCES, type Stored, stored, versionPath } from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

export function describeResources(target: TargetThunk): void {
  describe('resources', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target())
    })

    const known = () => RESOURCES.map(({ path, methods }) => [path(one.ref), methods] as const)

    /** `HEAD` may stand wherever `GET` does (RFC 9110, section 9.1), `OPTIONS` anywhere. */
    const expectAllow = (allow: string | undefined, methods: readonly string[], path: string) => {
      const listed = (allow ?? '').split(',').map((method) => method.trim())
      expect(listed, path).toEqual(expect.arrayContaining([...methods]))
      const extra = listed.filter(
        (method) => !methods.includes(method) && !['HEAD', 'OPTIONS'].includes(method),
      )
      expect(extra, path).toEqual([])
    }

    test('an unknown method on a known path is 405 with Allow', async (context) => {
      needs(context, target(), 'any-method')
      for (const [at, [path, methods]] of known().entries()) {
        const method = at % 2 === 0 ? 'DELETE' : 'POST'
        const response = await target().send({ method, path })
        expectProblem(response, 'method_not_allowed')
        expectAllow(header(response, 'Allow'), methods, path)
      }
    })

    test.for(['PATCH', 'PUT'])('a list does not allow %s', async (method, context) => {
      needs(context, target(), 'any-method')
      const response = await target().send({ method, path: listPath(one.ref) })
      expectProblem(response, 'method_not_allowed')
    })

    test('OPTIONS is 204 with Allow', async (context) => {
      needs(context, target(), 'any-method')
      for (const [path, methods] of known()) {
        const response = await target().send({ method: 'OPTIONS', path })
        expect(response.status, path).toBe(204)
        expect(response.body, path).toHaveLength(0)
        expectAllow(header(response, 'Allow'), methods, path)
      }
    })

    test('HEAD of a readable resource has no body, or is 405', async (context) => {
      needs(context, target(), 'any-method')
      for (const path of ['/v1', entryPath(one.ref), listPath(one.ref)]) {
        const response = await get(target(), path, [], 'HEAD')
        expect([200, 405], path).toContain(response.status)
        expect(response.body, path).toHaveLength(0)
      }
    })

    test('any other path is 404 route_not_found', async () => {
      const { bucketId, artifactId } = one.ref
      for (const path of [
        '/v1/nothing',
        '/v1/Health',
        '/v1/search',
        '/v1/buckets',
        `/v1/buckets/${bucketId}`,
        `/v1/buckets/${bucketId}/artifacts`,
        `/v1/buckets/${bucketId}/artifacts/${artifactId}`,
        `/v1/buckets/${bucketId}/artifacts/${artifactId}/latest`,
        `${versionPath(one.ref)}/latest`,
        `${versionPath(one.ref)}/uploads`,
        `${entryPath(one.ref)}/digest`,
      ])
        expectProblem(await get(target(), path), 'route_not_found')
    })

    test('buckets, artifacts and versions cannot be deleted', async (context) => {
      needs(context, target(), 'any-method')
      const { bucketId, artifactId } = one.ref
      const del = (path: string) => target().send({ method: 'DELETE', path })
      expectProblem(await del(`/v1/buckets/${bucketId}`), 'route_not_found')
      expectProblem(await del(`/v1/buckets/${bucketId}/artifacts/${artifactId}`), 'route_not_found')
      expectProblem(await del(versionPath(one.ref)), 'method_not_allowed')
      expect(json(await get(target(), entryPath(one.ref)))).toEqual(one.entry)
    })

    test('paths outside the root are 404', async (context) => {
      if (target().front === 'gateway') context.skip('the gateway answers for what is outside its stage')
      for (const path of ['/v2', '/v10/health', '/buckets'])
        expectProblem(await get(target(), path), 'route_not_found')
    })

    test('the path / is 404, or the page of a local server', async (context) => {
      if (target().front === 'gateway') context.skip('the gateway answers for what is outside its stage')
      const response = await get(target(), '/')
      if (target().front === 'node-server' && response.status === 200)
        expect(header(response, 'Content-Type')).toMatch(/^text\/html/)
      else expectProblem(response, 'route_not_found')
    })
  })
}
