/** An upload in one request that the store itself checks (docs/http-api.md, sections 7.1, 7.3 and 7.5). */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import {
  EMPTY,
  entryPath,
  expectEntry,
  expectInvisible,
  fetchBytes,
  freshRef,
  get,
  json,
  put,
  type Ref,
  sha256,
  stored,
  versionPath,
} from './requests.ts'
import type { TargetThunk } from './target.ts'
import {
  begun,
  commit,
  type Presigned,
  putJson,
  sendPresigned,
  state,
  uploadPath,
} from './upload-requests.ts'

export function describeUploadSingle(target: TargetThunk): void {
  describe('single upload', () => {
    const bytes = 'bytes of an upload'
    const digest = sha256(bytes)
    const begin = async (ref: Ref): Promise<Presigned> => {
      const { request } = await begun(target(), ref, digest, { size: bytes.length, uploaded_by: 'somebody' })
      return request ?? expect.fail('a single upload has a request')
    }

    test('is 201 with the entry after begin, send and commit, and the bytes can be fetched', async () => {
      const ref = freshRef()
      const request = await begin(ref)
      expect((await sendPresigned(target(), request, bytes)).status).toBeLessThan(300)
      await expectInvisible(target(), ref)
      expect(await state(target(), ref, digest)).toMatchObject({ state: 'open', received: true })
      const response = await commit(target(), ref, digest)
      expect(response.status, response.body.toString('utf8')).toBe(201)
      const entry = expectEntry(json(response))
      expect(entry).toMatchObject({ digest, size: bytes.length, uploaded_by: 'somebody' })
      expect(json(await get(target(), entryPath(ref)))).toEqual(entry)
      expect((await fetchBytes(target(), versionPath(ref))).toString()).toBe(bytes)
    })

    test('is 200 with the entry when committed again, and can no longer be begun or aborted', async () => {
      const ref = freshRef()
      await sendPresigned(target(), await begin(ref), bytes)
      const entry = json(await commit(target(), ref, digest))
      const again = await commit(target(), ref, digest)
      expect([again.status, json(again)]).toEqual([200, entry])
      expect(await state(target(), ref, digest)).toMatchObject({ state: 'committed', entry })
      const path = uploadPath(ref, digest)
      expect(
        expectProblem(await putJson(target(), path, { size: bytes.length }), 'version_exists'),
      ).toMatchObject({
        conflict: 'identical',
        stored: entry,
      })
      expectProblem(await target().send({ method: 'DELETE', path }), 'upload_conflict')
    })

    test('zero bytes can be uploaded', async () => {
      const ref = freshRef()
      const { request } = await begun(target(), ref, EMPTY, { size: 0 })
      await sendPresigned(target(), request ?? expect.fail('no request'), '')
      expect((await commit(target(), ref, EMPTY)).status).toBe(201)
    })

    test('refuses other bytes with 400', async () => {
      const ref = freshRef()
      const other = bytes.replace('upload', 'updoad')
      expect((await sendPresigned(target(), await begin(ref), other)).status).toBe(400)
      expect(await state(target(), ref, digest)).toMatchObject({ received: false })
    })

    test('refuses another length', async () => {
      const ref = freshRef()
      const request = await begin(ref)
      const headers = { ...request.headers, 'content-length': String(bytes.length + 1) }
      const answer = await sendPresigned(target(), { ...request, headers }, `${bytes}!`)
      expect([400, 403]).toContain(answer.status)
      expect(await state(target(), ref, digest)).toMatchObject({ received: false })
    })

    test('refuses a request without its signed headers with 403', async () => {
      const ref = freshRef()
      const request = await begin(ref)
      const { 'if-none-match': _, ...headers } = request.headers
      expect((await sendPresigned(target(), { ...request, headers }, bytes)).status).toBe(403)
      expect(await state(target(), ref, digest)).toMatchObject({ received: false })
    })

    test('answers bytes that are sent twice with 412 or 2xx, and the commit succeeds', async () => {
      const ref = freshRef()
      const request = await begin(ref)
      await sendPresigned(target(), request, bytes)
      const { status } = await sendPresigned(target(), request, bytes)
      expect(status === 412 || (status >= 200 && status < 300), String(status)).toBe(true)
      expect((await commit(target(), ref, digest)).status).toBe(201)
    })

    test('commit before the bytes is 409 upload_incomplete, and the upload stays open', async () => {
      const ref = freshRef()
      const request = await begin(ref)
      expect(expectProblem(await commit(target(), ref, digest), 'upload_incomplete')).toMatchObject({
        received: false,
      })
      await sendPresigned(target(), request, bytes)
      expect((await commit(target(), ref, digest)).status).toBe(201)
    })

    test('commit after other bytes took the version is 409 version_exists with the winner', async () => {
      const ref = freshRef()
      await sendPresigned(target(), await begin(ref), bytes)
      const { entry } = await stored(target(), 'winner', [], ref)
      expect(expectProblem(await commit(target(), ref, digest), 'version_exists')).toMatchObject({
        conflict: 'different',
        declared_digest: digest,
        stored: entry,
      })
      expect((await fetchBytes(target(), versionPath(ref))).toString()).toBe('winner')
    })

    test('commit after the same bytes were stored by another request is 200 with that entry', async () => {
      const ref = freshRef()
      await begin(ref)
      const { entry } = await stored(target(), bytes, [], ref)
      const response = await commit(target(), ref, digest)
      expect([response.status, json(response)]).toEqual([200, entry])
    })

    test('of a concurrent commit and inline store of other bytes, exactly one wins', async () => {
      const ref = freshRef()
      await sendPresigned(target(), await begin(ref), bytes)
      const [committed, inline] = await Promise.all([
        commit(target(), ref, digest),
        put(target(), ref, 'rival'),
      ])
      expect([committed.status, inline.status].sort()).toEqual([201, 409])
      const winner = committed.status === 201 ? bytes : 'rival'
      expect((await fetchBytes(target(), versionPath(ref))).toString()).toBe(winner)
    })

    test('of concurrent commits at most one gets 201, every other 200 with the same entry', async () => {
      const ref = freshRef()
      await sendPresigned(target(), await begin(ref), bytes)
      const answers = await Promise.all(Array.from({ length: 5 }, () => commit(target(), ref, digest)))
      const statuses = answers.map(({ status }) => status)
      expect(statuses.filter((status) => status === 201)).toHaveLength(1)
      expect(statuses.filter((status) => status === 200)).toHaveLength(4)
      expect(new Set(answers.map(({ body }) => body.toString('utf8'))).size).toBe(1)
    })

    test('DELETE is 204, then the upload is gone and can be restarted', async () => {
      const ref = freshRef()
      await begin(ref)
      const path = uploadPath(ref, digest)
      const response = await target().send({ method: 'DELETE', path })
      expect([response.status, response.body.length]).toEqual([204, 0])
      expect(header(response, 'Cache-Control')).toBe('no-store')
      expectProblem(await get(target(), path), 'upload_not_found')
      expectProblem(await target().send({ method: 'DELETE', path }), 'upload_not_found')
      await sendPresigned(target(), await begin(ref), bytes)
      expect((await commit(target(), ref, digest)).status).toBe(201)
    })
  })
}
