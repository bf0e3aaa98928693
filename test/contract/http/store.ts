/** The response to a successful store (docs/http-api.md, sections 3 and 4). */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import {
  ALL_BYTES,
  EMPTY,
  entryPath,
  expectEntry,
  fetchBytes,
  freshRef,
  get,
  json,
  put,
  sha256,
  sha256Base64,
  stored,
  versionPath,
} from './requests.ts'
import { needs, type TargetThunk } from './target.ts'

export function describeStore(target: TargetThunk): void {
  describe('store', () => {
    test('201 with the entry, Location, ETag and X-Artifact-Digest, without a Repr-Digest of the JSON', async () => {
      const ref = freshRef({ version: 'v1.0:rc+1' })
      const before = Date.now()
      const response = await put(target(), ref, ALL_BYTES)
      expect(response.status).toBe(201)
      expect(header(response, 'Content-Type')).toMatch(/^application\/json/)
      const entry = expectEntry(json(response))
      expect(entry).toEqual({
        bucket_id: ref.bucketId,
        artifact_id: ref.artifactId,
        version: ref.version,
        digest: sha256(ALL_BYTES),
        size: 256,
        content_type: 'application/octet-stream',
        uploaded_by: null,
        provenance_source: null,
        created_at: entry.created_at,
      })
      expect(Math.abs(Date.parse(entry.created_at) - before)).toBeLessThan(120_000)
      expect(header(response, 'ETag')).toBe(`"${sha256(ALL_BYTES)}"`)
      expect(header(response, 'X-Artifact-Digest')).toBe(sha256(ALL_BYTES))
      expect(header(response, 'Repr-Digest')).toBeUndefined()
      const location = header(response, 'Location') ?? ''
      expect(location.startsWith('/v1/'), location).toBe(true)
      expect(decodeURIComponent(location)).toBe(decodeURIComponent(versionPath(ref)))
      expect(await fetchBytes(target(), location)).toEqual(Buffer.from(ALL_BYTES))
    })

    test('zero bytes are a legal artifact', async () => {
      const { ref, entry } = await stored(target(), '')
      expect(entry).toMatchObject({ digest: EMPTY, size: 0 })
      expect(await fetchBytes(target(), versionPath(ref))).toHaveLength(0)
    })

    test('the description given by the uploader is stored unchanged', async () => {
      const { ref, entry } = await stored(target(), 'x', [
        ['X-Uploaded-By', 'training-cluster-5 ~!"#$%&()*,;<=>?@[]^_`{|}'],
        ['X-Provenance-Source', 'run-47 {"step": 12}'],
        ['Content-Type', 'application/x-safetensors; note="a, b"'],
      ])
      expect(entry).toMatchObject({
        uploaded_by: 'training-cluster-5 ~!"#$%&()*,;<=>?@[]^_`{|}',
        provenance_source: 'run-47 {"step": 12}',
        content_type: 'application/x-safetensors; note="a, b"',
      })
      expect(json(await get(target(), entryPath(ref)))).toEqual(entry)
    })

    test.each(['text/plain', 'application/json'])(
      'the bytes stay opaque with Content-Type %s',
      async (contentType) => {
        const { ref, bytes, entry } = await stored(target(), ALL_BYTES, [['Content-Type', contentType]])
        expect(entry.content_type).toBe(contentType)
        expect(await fetchBytes(target(), versionPath(ref))).toEqual(bytes)
      },
    )

    test('bytes that look like text, base64 or gzip are stored unchanged', async () => {
      for (const body of ['aGVsbG8=', '\ufeff\r\n \u0000\n', Buffer.from('1f8b0800000000', 'hex')]) {
        const { ref, bytes } = await stored(target(), body)
        expect(await fetchBytes(target(), versionPath(ref))).toEqual(bytes)
      }
    })

    test('Content-Encoding: identity changes nothing', async () => {
      const { ref, bytes } = await stored(target(), 'plain', [['Content-Encoding', 'identity']])
      expect(await fetchBytes(target(), versionPath(ref))).toEqual(bytes)
    })

    test('If-None-Match: * is allowed', async () => {
      await stored(target(), 'only if absent', [['If-None-Match', '*']])
    })

    test('a body without Content-Length is stored with the size that arrived', async (context) => {
      needs(context, target(), 'chunked')
      const response = await put(target(), freshRef(), 'chunked', [], { framing: 'chunked' })
      expect(response.status, response.body.toString('utf8')).toBe(201)
      expect(json(response)).toMatchObject({ size: 7, digest: sha256('chunked') })
    })

    test('the largest body allowed in one request is stored', async (context) => {
      const { maxInlineBytes } = target()
      if (maxInlineBytes > 8 * 1024 * 1024)
        context.skip(`the limit of ${maxInlineBytes} bytes is too large to try here`)
      const { ref, bytes } = await stored(target(), Buffer.alloc(maxInlineBytes, 'bucket '))
      expect((await fetchBytes(target(), versionPath(ref))).equals(bytes)).toBe(true)
    })

    test('Repr-Digest alone is sufficient, and its other algorithms are ignored', async () => {
      const sha512 = `sha-512=:${Buffer.alloc(64, 1).toString('base64')}:`
      const right = `sha-256=:${sha256Base64('x')}:`
      for (const field of [right, `${sha512}, ${right}`, `${right},${sha512}, unixsum=:AAAA:`]) {
        const response = await put(target(), freshRef(), 'x', [['Repr-Digest', field]])
        expect(response.status, response.body.toString('utf8')).toBe(201)
        expect(json(response)).toMatchObject({ digest: sha256('x') })
      }
    })

    test('both digest headers are accepted if they agree', async () => {
      await stored(target(), 'x', [
        ['X-Artifact-Digest', sha256('x')],
        ['Repr-Digest', `sha-256=:${sha256Base64('x')}:`],
      ])
    })

    test('the same bytes can be stored under any number of references', async () => {
      const [a, b] = [await stored(target(), 'shared'), await stored(target(), 'shared')]
      expect(a.entry.digest).toBe(b.entry.digest)
      expectProblem(await get(target(), entryPath({ ...a.ref, version: b.ref.version })), 'version_not_found')
    })
  })
}
