/** Listing the versions of one artifact, page by page to the end (docs/http-api.md, section 6). */
import { beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type EntryShape, entryShape, expectFaults } from '../../support/problem.ts'
import { header, type RawResponse } from '../../support/raw-http.ts'
import { freshRef, get, json, listPath, type Ref, type Stored, stored } from './requests.ts'
import type { TargetThunk } from './target.ts'

const page = z.strictObject({ versions: z.array(entryShape), next_cursor: z.nullable(z.string().min(1)) })

/** In byte order: `+` `-` `.` digits `:` capitals `_` small letters; a prefix comes before a longer name. */
const VERSIONS = ['1', '1+a', '1-a', '1.a', '10', '1:a', '1A', '1_a', '1a', '2', 'Z', 'a'] as const

export function describeList(target: TargetThunk): void {
  describe('list', () => {
    const ref = freshRef()
    const entries = new Map<string, EntryShape>()
    let other: Stored
    beforeAll(async () => {
      // Stored in another order than that of their bytes.
      for (const version of [...VERSIONS].sort((a, b) => a.length - b.length || (a < b ? 1 : -1)))
        entries.set(version, (await stored(target(), version, [], { ...ref, version })).entry)
      other = await stored(target())
    }, 60_000)

    const read = async (query: string, of: Omit<Ref, 'version'> = ref) => {
      const response = await get(target(), `${listPath(of)}${query}`)
      return { response, ...parse(response) }
    }
    const parse = (response: RawResponse) => {
      expect(response.status, response.body.toString('utf8')).toBe(200)
      return page.parse(json(response))
    }
    const versions = (list: readonly EntryShape[]) => list.map(({ version }) => version)
    const nextLink = (response: RawResponse) =>
      /^<([^>]+)>; rel="next"$/.exec(header(response, 'Link') ?? '')?.[1]

    test('an artifact without versions is an empty list', async () => {
      const { response, ...body } = await read('', freshRef())
      expect(body).toEqual({ versions: [], next_cursor: null })
      expect(header(response, 'Link')).toBeUndefined()
    })

    test('has every entry as it was stored, ordered by the bytes of version', async () => {
      const { versions: list, next_cursor } = await read('')
      expect(next_cursor).toBeNull()
      expect(list).toEqual(VERSIONS.map((version) => entries.get(version)))
    })

    test('read page by page, has every version once, in order, with no page above the limit', async () => {
      const seen: string[] = []
      let query = '?limit=5'
      // A page may be short, even empty. The bound on the number of pages only ends an endless loop.
      for (let pages = 0; pages < 50; pages++) {
        const { response, versions: list, next_cursor } = await read(query)
        expect(list.length).toBeLessThanOrEqual(5)
        seen.push(...versions(list))
        expect(nextLink(response) !== undefined).toBe(next_cursor !== null)
        if (next_cursor === null) break
        query = `?limit=5&cursor=${encodeURIComponent(next_cursor)}`
      }
      expect(seen).toEqual([...VERSIONS])
    })

    test('Link rel="next" leads through the same pages', async () => {
      const seen: string[] = []
      let response = (await read('?limit=5')).response
      for (let pages = 0; pages < 50; pages++) {
        const { versions: list } = parse(response)
        expect(list.length).toBeLessThanOrEqual(5)
        seen.push(...versions(list))
        const link = nextLink(response)
        if (link === undefined) break
        expect(link.startsWith('/v1/'), link).toBe(true)
        response = await get(target(), link)
      }
      expect(seen).toEqual([...VERSIONS])
    })

    test('a cursor works with another limit, and can be reused', async () => {
      const { next_cursor } = await read('?limit=2')
      const cursor = `cursor=${encodeURIComponent(next_cursor ?? '')}`
      for (let again = 0; again < 2; again++)
        expect(versions((await read(`?limit=1&${cursor}`)).versions)).toEqual([VERSIONS[2]])
      expect(versions((await read(`?limit=1000&${cursor}`)).versions)).toEqual(VERSIONS.slice(2))
    })

    test('a version that is stored after the position of the cursor is still found', async () => {
      const own = freshRef()
      for (const version of ['a', 'c']) await stored(target(), version, [], { ...own, version })
      const { next_cursor } = await read('?limit=1', own)
      await stored(target(), 'b', [], { ...own, version: 'b' })
      const { versions: list } = await read(`?cursor=${encodeURIComponent(next_cursor ?? '')}`, own)
      expect(versions(list)).toEqual(['b', 'c'])
    })

    test('the limit may be 1 or 1000', async () => {
      expect((await read('?limit=1')).versions).toHaveLength(1)
      expect((await read('?limit=1000')).versions).toHaveLength(VERSIONS.length)
    })

    test.for(['0', '1001', '-1', 'x', '1.5', '1e2', '0x10', '', '%201', '99999999999999999999'])(
      'limit=%s is 400',
      async (limit) => {
        expectFaults(await get(target(), `${listPath(ref)}?limit=${limit}`), 'query limit')
      },
    )

    test('a malformed cursor is 400', async () => {
      const { next_cursor } = await read('?limit=1')
      const cursor = next_cursor ?? ''
      for (const bad of ['', 'x', '%00', 'bm9uc2Vuc2U', VERSIONS[0], `${cursor}x`, cursor.slice(0, -2)])
        expectFaults(await get(target(), `${listPath(ref)}?cursor=${bad}`), 'query cursor')
    })

    test('a cursor of another artifact is 400', async () => {
      const { next_cursor } = await read('?limit=1')
      const cursor = encodeURIComponent(next_cursor ?? '')
      for (const of of [
        other.ref,
        { ...ref, artifactId: other.ref.artifactId },
        { ...ref, bucketId: other.ref.bucketId },
      ])
        expectFaults(await get(target(), `${listPath(of)}?cursor=${cursor}`), 'query cursor')
    })
  })
}
