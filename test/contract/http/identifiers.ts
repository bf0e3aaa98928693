/** The identifiers of a path: their form, and that they are compared byte by byte (docs/http-api.md, section 1). */
import { describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import { entryPath, fetchBytes, freshRef, get, json, listPath, put, stored, versionPath } from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

const LEGAL = 'aZ09._+:-'

export function describeIdentifiers(target: TargetThunk): void {
  describe('identifiers', () => {
    test.each([
      ['every legal character', LEGAL],
      ['one character', '7'],
      ['128 characters', 'x'.repeat(128)],
      ['dots inside', 'a..b...'],
      ['a name that a program might take for its own', 'constructor'],
    ])('may have %s', async (_, id) => {
      // Unique by its artifact, so that each run can use the same short id.
      const unique = freshRef({ version: id })
      const ref = { ...unique, bucketId: id, artifactId: `${unique.artifactId}${id}`.slice(0, 128) }
      const { entry } = await stored(target(), id, [], ref)
      expect(entry).toMatchObject({ bucket_id: id, artifact_id: ref.artifactId, version: id })
      expect(json(await get(target(), entryPath(ref)))).toEqual(entry)
    })

    test.each(['latest', 'entry', 'uploads'])(
      'a version may be called %s, which has no special meaning',
      async (version) => {
        const ref = freshRef({ version })
        expectProblem(await get(target(), versionPath(ref)), 'version_not_found')
        const { entry } = await stored(target(), version, [], ref)
        expect(json(await get(target(), entryPath(ref)))).toEqual(entry)
      },
    )

    test('%3A and :, %2B and + are the same identifier', async () => {
      const { ref, entry } = await stored(target(), 'colon and plus', [], freshRef({ version: 'a:b+c' }))
      for (const written of ['a:b+c', 'a%3Ab%2Bc', 'a%3ab%2bc', 'a:b%2Bc'])
        expect(json(await get(target(), `${listPath(ref)}/${written}/entry`)), written).toEqual(entry)
    })

    test('responses write %3A and %2B, however the request wrote them', async () => {
      const ref = freshRef({ version: 'a:b+c' })
      const path = versionPath(ref)
      const spellings = ['a:b+c', 'a%3Ab%2Bc', 'a%3ab%2bc'].map((version) => `${listPath(ref)}/${version}`)
      const [first = ''] = spellings
      const created = await put(target(), ref, 'x', [], { path: first })
      expect([created.status, header(created, 'Location')]).toEqual([201, path])
      const [one, ...others] = await Promise.all(
        spellings.map(async (written) => {
          expect(await fetchBytes(target(), written)).toEqual(Buffer.from('x'))
          expectProblem(await put(target(), ref, 'y', [], { path: written }), 'version_exists')
          const { url } = json(await get(target(), `${written}/download`)) as { url: string }
          return new URL(url, 'http://a.example').pathname
        }),
      )
      for (const other of others) expect(other).toBe(one)
    })

    test('a percent-encoded unreserved character is 400: a proxy could read another path', async (context) => {
      needs(context, target(), 'unreserved-path')
      const { ref } = await stored(target(), 'x', [], freshRef({ version: 'a-b_c.d1' }))
      for (const written of ['%61-b_c.d1', 'a%2Db_c.d1', 'a-b%5fc.d1', 'a-b_c%2Ed1', 'a-b_c.d%31'])
        expectFaults(await get(target(), `${listPath(ref)}/${written}/entry`), 'path version')
      expectFaults(await get(target(), versionPath(ref).replace('/buckets/', '/%62uckets/')), 'path path')
    })

    test('are compared byte by byte, so they are case-sensitive', async () => {
      const lower = await stored(target(), 'lower', [], freshRef({ version: 'case' }))
      expectProblem(await get(target(), entryPath({ ...lower.ref, version: 'CASE' })), 'version_not_found')
      const upper = await stored(target(), 'upper', [], { ...lower.ref, version: 'CASE' })
      expect(json(await get(target(), entryPath(lower.ref)))).toEqual(lower.entry)
      expect(json(await get(target(), entryPath(upper.ref)))).toEqual(upper.entry)
    })

    test('an artifact is not listed under an id that begins with its own', async () => {
      const { ref } = await stored(target())
      const longer = { ...ref, artifactId: `${ref.artifactId}-more` }
      await stored(target(), 'longer', [], longer)
      expect(json(await get(target(), listPath(ref)))).toMatchObject({ versions: [{ version: ref.version }] })
      expectProblem(
        await get(target(), entryPath({ ...freshRef(), version: ref.version })),
        'version_not_found',
      )
    })

    test.each([
      ['129 characters', 'x'.repeat(129)],
      ['a leading dot', '.a'],
      ['a leading hyphen', '-a'],
      ['an underscore at its beginning', '_a'],
      ['a space', 'a%20b'],
      ['a tilde', 'a~b'],
      ['an at sign', 'a@b'],
      ['a letter beyond ASCII', 'a%C3%A9'],
      ['a line feed at its end', 'a%0A'],
      ['a zero byte', 'a%00b'],
    ])('%s: 400, named after each part it stands in', async (_, bad) => {
      const path = `/v1/buckets/${bad}/artifacts/${bad}/versions/${bad}/entry`
      expectFaults(await get(target(), path), 'path bucket_id', 'path artifact_id', 'path version')
    })

    test.for([
      ['an encoded slash', 'a%2Fb'],
      ['a double encoding', 'a%253Ab'],
      ['a backslash', 'a%5Cb'],
    ])('%s: 400', async ([, bad], context) => {
      needs(context, target(), 'encoded-path')
      expectFaults(await get(target(), `${listPath(freshRef())}/${bad}`), 'path version')
    })

    test.for([
      ['half an escape', 'a%2'],
      ['an invalid escape', 'a%ZZ'],
      ['an escape that is not UTF-8', 'a%FF'],
    ])('%s: 400', async ([, bad], context) => {
      needs(context, target(), 'encoded-path')
      expectProblem(await get(target(), `${listPath(freshRef())}/${bad}`), 'invalid_request')
    })

    test('all invalid identifiers are reported at once, on every resource', async () => {
      const path = '/v1/buckets/-b/artifacts/-a/versions'
      const three = ['path bucket_id', 'path artifact_id', 'path version'] as const
      expectFaults(await get(target(), path), 'path bucket_id', 'path artifact_id')
      for (const rest of ['/-v', '/-v/entry', '/-v/download'])
        expectFaults(await get(target(), `${path}${rest}`), ...three)
      const ref = { bucketId: '-b', artifactId: '-a', version: '-v' }
      expectFaults(await put(target(), ref, 'x'), ...three)
      expect((await get(target(), versionPath(ref), [], 'HEAD')).status).toBe(400)
    })
  })

  describe('paths that hide another path', () => {
    test('dot segments never lead to a stored version', async (context) => {
      needs(context, target(), 'raw-path')
      const { ref } = await stored(target())
      const [b, a, v] = [ref.bucketId, ref.artifactId, ref.version]
      const aliases = [
        `/v1/buckets/x/../${b}/artifacts/${a}/versions/${v}`,
        `/v1/buckets/x/%2e%2e/${b}/artifacts/${a}/versions/${v}`,
        `/v1/buckets/./${b}/artifacts/${a}/versions/${v}`,
        `/v1/buckets/${b}/artifacts/${a}/versions/${v}/entry/..`,
        `/v1/buckets/${b}/artifacts/${a}/versions/${v}/%2E`,
        `/v1/buckets/${b}/artifacts/${a}/versions/x/.%2e/${v}`,
        `/v1/./buckets/${b}/artifacts/${a}/versions/${v}`,
      ]
      for (const path of aliases) expect([400, 404], path).toContain((await get(target(), path)).status)
    })

    test('a dot segment in place of an identifier is 400', async (context) => {
      needs(context, target(), 'raw-path')
      for (const dots of ['..', '.', '%2e%2e', '%2E', '.%2e']) {
        const path = `/v1/buckets/${dots}/artifacts/a/versions/v`
        expectFaults(await get(target(), path), 'path bucket_id')
        expectFaults(
          await target().send({
            method: 'PUT',
            path,
            headers: [['X-Artifact-Digest', `sha256:${'0'.repeat(64)}`]],
          }),
          'path bucket_id',
        )
      }
    })

    test('an empty segment never leads to a stored version', async (context) => {
      needs(context, target(), 'empty-segment')
      const { ref } = await stored(target())
      const [b, a, v] = [ref.bucketId, ref.artifactId, ref.version]
      for (const path of [
        `/v1//buckets/${b}/artifacts/${a}/versions/${v}`,
        `/v1/buckets//${b}/artifacts/${a}/versions/${v}`,
        `/v1/buckets/${b}/artifacts/${a}//versions/${v}`,
        `/v1/buckets//artifacts/${a}/versions/${v}`,
      ])
        expect([400, 404], path).toContain((await get(target(), path)).status)
    })

    test('a trailing slash is 404, because it is another path', async (context) => {
      needs(context, target(), 'empty-segment')
      const { ref } = await stored(target())
      for (const path of [`${versionPath(ref)}/`, `${entryPath(ref)}/`, '/v1/health/'])
        expectProblem(await get(target(), path), 'route_not_found')
      // An empty version could also be read as an identifier that breaks its form.
      expect([400, 404]).toContain((await get(target(), `${listPath(ref)}/`)).status)
    })
  })
}
