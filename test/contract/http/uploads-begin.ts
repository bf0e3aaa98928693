/** Beginning an upload, and finding it again by reference and digest alone (docs/http-api.md, section 7.1). */
import { describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import { EMPTY, freshRef, get, json, OTHER_DIGEST, sha256, stored } from './requests.ts'
import type { TargetThunk } from './target.ts'
import { begun, expectUpload, putJson, state, uploadPath } from './upload-requests.ts'

const MIB = 1024 * 1024
const DAY = 24 * 3600 * 1000

export function describeUploadBegin(target: TargetThunk): void {
  describe('begin', () => {
    const digest = sha256('some bytes')
    const begin = (body: unknown, ref = freshRef(), of = digest) =>
      putJson(target(), uploadPath(ref, of), body)

    test('201 with the upload and the request for its bytes', async () => {
      const ref = freshRef()
      const { upload, request } = await begun(target(), ref, digest, {
        size: 10,
        content_type: 'text/plain',
        uploaded_by: 'somebody',
        provenance_source: null,
      })
      expect(upload).toMatchObject({
        bucket_id: ref.bucketId,
        artifact_id: ref.artifactId,
        version: ref.version,
        digest,
        size: 10,
        content_type: 'text/plain',
        uploaded_by: 'somebody',
        provenance_source: null,
        mode: 'single',
        state: 'open',
        received: false,
      })
      expect(request).toMatchObject({ headers: { 'content-length': '10' } })
      const left = Date.parse(upload.expires_at) - Date.now()
      expect(left).toBeGreaterThan(6.9 * DAY)
      expect(left).toBeLessThan(7.1 * DAY)
      expect(Date.parse(request?.expires_at ?? '') - Date.now()).toBeLessThanOrEqual(3_660_000)
    })

    test('a repeated begin is 200 and shows the first description', async () => {
      const ref = freshRef()
      const { upload } = await begun(target(), ref, digest, { size: 10, uploaded_by: 'first' })
      const again = await begin({ size: 10, uploaded_by: 'second', content_type: 'text/plain' }, ref)
      expect(again.status).toBe(200)
      expect(json(again)).toMatchObject({
        uploaded_by: 'first',
        content_type: 'application/octet-stream',
        expires_at: upload.expires_at,
      })
    })

    test('another size is 409 upload_conflict with the existing upload', async () => {
      const ref = freshRef()
      await begun(target(), ref, digest, { size: 10 })
      const problem = expectProblem(await begin({ size: 11 }, ref), 'upload_conflict')
      expect(problem.upload).toMatchObject({ size: 10, state: 'open', digest })
    })

    test('uploads of other digests to the same version are independent', async () => {
      const ref = freshRef()
      await begun(target(), ref, digest, { size: 10 })
      await begun(target(), ref, OTHER_DIGEST, { size: 11 })
      expect(await state(target(), ref, digest)).toMatchObject({ size: 10 })
    })

    test('concurrent begins make one upload', async () => {
      const ref = freshRef()
      const answers = await Promise.all(Array.from({ length: 5 }, () => begin({ size: 10 }, ref)))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 201])
    })

    test('multipart has part_size, part_count, the received parts, and no request', async () => {
      const { upload } = await begun(target(), freshRef(), digest, { size: 10, mode: 'multipart' })
      expect(upload).toMatchObject({ mode: 'multipart', part_size: 16 * MIB, part_count: 1, received: [] })
      expect(upload).not.toHaveProperty('request')
    })

    test('zero bytes are always single', async () => {
      const { upload } = await begun(target(), freshRef(), EMPTY, { size: 0, mode: 'multipart' })
      expect(upload).toMatchObject({ mode: 'single', size: 0 })
    })

    test('zero bytes under the digest of other bytes are refused: 400', async () => {
      expectFaults(await begin({ size: 0 }), 'body size')
    })

    test('without a mode is single up to 64 MiB, and multipart above', async (context) => {
      const large = 64 * MIB + 1
      if (target().maxArtifactBytes < large) context.skip('artifacts of this front are smaller')
      expect((await begun(target(), freshRef(), digest, { size: large - 1 })).upload.mode).toBe('single')
      const { upload } = await begun(target(), freshRef(), digest, { size: large, mode: null })
      expect(upload).toMatchObject({ mode: 'multipart', part_count: 5 })
    })

    test('a taken version is refused with 409 before a byte is sent', async () => {
      const one = await stored(target(), 'some bytes')
      expect(expectProblem(await begin({ size: 10 }, one.ref), 'version_exists')).toMatchObject({
        conflict: 'identical',
        stored: one.entry,
      })
      expect(expectProblem(await begin({ size: 10 }, one.ref, OTHER_DIGEST), 'version_exists')).toMatchObject(
        { conflict: 'different', declared_digest: OTHER_DIGEST, stored: one.entry },
      )
    })

    test('a size beyond the limit is 413 with the limit', async () => {
      const { maxArtifactBytes } = target()
      const response = await begin({ size: maxArtifactBytes + 1 })
      expect(expectProblem(response, 'artifact_too_large')).toMatchObject({
        size: maxArtifactBytes + 1,
        max_artifact_bytes: maxArtifactBytes,
      })
      expect(header(response, 'Upload-Limit')).toBe(`max-size=${maxArtifactBytes}`)
    })

    test.for([
      ['size', {}],
      ['size', { size: -1 }],
      ['size', { size: 1.5 }],
      ['size', { size: '10' }],
      ['size', { size: 2 ** 53 }],
      ['size', { size: null }],
      ['mode', { size: 1, mode: 'stream' }],
      ['uploaded_by', { size: 1, uploaded_by: '' }],
      ['uploaded_by', { size: 1, uploaded_by: 'u'.repeat(257) }],
      ['provenance_source', { size: 1, provenance_source: 'a  b' }],
      ['content_type', { size: 1, content_type: 'caf\u00e9' }],
      ['overwrite', { size: 1, overwrite: true }],
    ] as const)('a faulty %s is 400 and named: %j', async ([name, body]) => {
      expectFaults(await begin(body), `body ${name}`)
    })

    test.for(['', 'no JSON', '[]', 'null', '{"size":1}}'])(
      'a body that is not a JSON object is 400: %s',
      async (body) => {
        const problem = expectProblem(await begin(body), 'invalid_request')
        expect(problem.errors?.map((error) => error.in)).toEqual(['body'])
      },
    )

    test('all errors of path, query and body are reported at once', async () => {
      const path = '/v1/buckets/-b/artifacts/a/versions/-v/uploads/nonsense?force=1'
      expectFaults(
        await putJson(target(), path, { size: -1, mode: 'x', tag: 1, uploaded_by: '' }),
        'path bucket_id',
        'path version',
        'path digest',
        'query force',
        'body size',
        'body mode',
        'body tag',
        'body uploaded_by',
      )
    })
  })

  describe('state', () => {
    test('is 404 if there is no upload', async () => {
      const path = uploadPath(freshRef(), OTHER_DIGEST)
      expectProblem(await get(target(), path), 'upload_not_found')
      expectProblem(await target().send({ method: 'DELETE', path }), 'upload_not_found')
      expectProblem(await target().send({ method: 'POST', path: `${path}/commit` }), 'upload_not_found')
      const parts = { parts: [{ number: 1, sha256: '0'.repeat(64) }] }
      expectProblem(await putJson(target(), `${path}/parts`, parts, 'POST'), 'upload_not_found')
    })

    test('never includes a request that could write', async () => {
      const ref = freshRef()
      const digest = sha256('x')
      await begun(target(), ref, digest, { size: 1 })
      expect(await state(target(), ref, digest)).not.toHaveProperty('request')
    })

    test('is committed with the entry if the ledger already has this digest', async () => {
      const one = await stored(target())
      expect(await state(target(), one.ref, one.digest)).toMatchObject({
        state: 'committed',
        entry: one.entry,
      })
    })

    test('an open upload makes nothing visible', async () => {
      const ref = freshRef()
      const digest = sha256('x')
      expectUpload((await begun(target(), ref, digest, { size: 1 })).upload)
      expect((await get(target(), `${uploadPath(ref, digest).replace(/\/uploads.*/, '')}`)).status).toBe(404)
    })
  })
}
