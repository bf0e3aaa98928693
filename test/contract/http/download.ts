/**
 * The download resource returns the location of the bytes as JSON, for clients that cannot follow a redirect (docs/http-api.md,
 * section 5).
 */
import { beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { DIGEST, expectFaults, expectProblem, TIME } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import { ALL_BYTES, downloadPath, get, json, OTHER_DIGEST, type Stored, stored } from './requests.ts'
import type { TargetThunk } from './target.ts'

const shape = z.strictObject({
  method: z.literal('GET'),
  url: z.string().min(1),
  headers: z.record(z.string(), z.string()),
  expires_at: z.string().regex(TIME),
  digest: z.string().regex(DIGEST),
  size: z.int().gte(0),
})

export function describeDownload(target: TargetThunk): void {
  describe('download', () => {
    let one: Stored
    beforeAll(async () => {
      one = await stored(target(), ALL_BYTES, [['Content-Type', 'text/x-all']])
    })
    const read = async (query = '') => {
      const response = await get(target(), `${downloadPath(one.ref)}${query}`)
      expect(response.status, response.body.toString('utf8')).toBe(200)
      expect(header(response, 'Content-Type')).toMatch(/^application\/json/)
      return shape.parse(json(response))
    }

    test('names the version in X-Artifact-Ref', async () => {
      const { bucketId, artifactId, version } = one.ref
      const response = await get(target(), downloadPath(one.ref))
      expect(header(response, 'X-Artifact-Ref')).toBe(`${bucketId}/${artifactId}/${version}`)
    })

    test('has exactly the specified members, with the digest and size of the entry', async () => {
      for (const query of ['', `?digest=${one.digest}`])
        expect(await read(query)).toMatchObject({ digest: one.digest, size: 256 })
    })

    test('expires within the hour, but not immediately', async () => {
      const left = Date.parse((await read()).expires_at) - Date.now()
      expect(left).toBeGreaterThan(30_000)
      expect(left).toBeLessThanOrEqual(3_660_000)
    })

    test('the URL returns the bytes with the listed headers and no others', async () => {
      const { url, headers } = await read()
      const answer = await target().follow(url, Object.entries(headers))
      expect(answer.status, answer.body.toString('latin1')).toBe(200)
      expect(answer.body).toEqual(one.bytes)
      expect(header(answer, 'Content-Type')).toBe('text/x-all')
      expect(header(answer, 'Content-Length')).toBe('256')
      expect(header(answer, 'Content-Disposition')).toBe(
        `attachment; filename="${one.ref.artifactId}-${one.ref.version}"`,
      )
      expect(header(answer, 'Cache-Control')).toBe('private, max-age=31536000, immutable')
    })

    test('the URL accepts a Range', async () => {
      const { url, headers } = await read()
      const answer = await target().follow(url, [...Object.entries(headers), ['Range', 'bytes=254-255']])
      expect([answer.status, [...answer.body]]).toEqual([206, [254, 255]])
    })

    test('?digest= with another digest is 412, malformed 400', async () => {
      expectProblem(await get(target(), `${downloadPath(one.ref)}?digest=${OTHER_DIGEST}`), 'digest_differs')
      expectFaults(await get(target(), `${downloadPath(one.ref)}?digest=nonsense`), 'query digest')
    })
  })
}
