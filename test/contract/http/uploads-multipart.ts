/** An upload in parts: each checked as it arrives, the whole checked before anything is visible (docs/http-api.md, sections 7.2 and 7.3). */
import { describe, expect, test } from 'vitest'
import { expectFaults, expectProblem } from '../../support/problem.ts'
import {
  expectInvisible,
  fetchBytes,
  freshRef,
  json,
  OTHER_DIGEST,
  put,
  type Ref,
  sha256,
  versionPath,
} from './requests.ts'
import type { TargetThunk } from './target.ts'
import {
  begun,
  commit,
  partRequest,
  putJson,
  sendPresigned,
  settled,
  state,
  uploadPath,
} from './upload-requests.ts'

const MIB = 1024 * 1024
const hex = (bytes: Uint8Array | string) => sha256(bytes).slice('sha256:'.length)

export function describeUploadMultipart(target: TargetThunk): void {
  describe('multipart upload', { timeout: 90_000 }, () => {
    const bytes = 'bytes of a small upload in one part'
    const digest = sha256(bytes)
    const begin = (ref: Ref, of = digest, size = bytes.length) =>
      begun(target(), ref, of, { size, mode: 'multipart' })
    const send = async (ref: Ref, of: string, number: number, part: Uint8Array | string) =>
      sendPresigned(target(), await partRequest(target(), ref, of, number, hex(part)), part)

    test('is verified in full after begin, parts and commit, and only then visible', async () => {
      const ref = freshRef()
      await begin(ref)
      expect((await send(ref, digest, 1, bytes)).status).toBeLessThan(300)
      expect(await state(target(), ref, digest)).toMatchObject({
        state: 'open',
        received: [{ number: 1, size: bytes.length, sha256: hex(bytes) }],
      })
      await expectInvisible(target(), ref)
      expect(await settled(target(), ref, digest)).toMatchObject({ state: 'committed', entry: { digest } })
      expect((await fetchBytes(target(), versionPath(ref))).toString()).toBe(bytes)
      const again = await commit(target(), ref, digest)
      expect([again.status, json(again)]).toMatchObject([200, { digest, size: bytes.length }])
    })

    test('accepts parts in any order, one of them twice', async (context) => {
      const whole = Buffer.alloc(16 * MIB + 1_000, 'two parts ')
      if (target().maxArtifactBytes < whole.length)
        context.skip('artifacts of this front are smaller than two parts')
      const ref = freshRef()
      const of = sha256(whole)
      const { upload } = await begin(ref, of, whole.length)
      expect(upload).toMatchObject({ part_size: 16 * MIB, part_count: 2 })
      await send(ref, of, 2, whole.subarray(16 * MIB))
      expect(expectProblem(await commit(target(), ref, of), 'upload_incomplete')).toMatchObject({
        received: [{ number: 2, size: 1_000 }],
        missing: [1],
      })
      await send(ref, of, 1, whole.subarray(0, 16 * MIB))
      await send(ref, of, 2, whole.subarray(16 * MIB))
      expect(await settled(target(), ref, of)).toMatchObject({ state: 'committed' })
      expect((await fetchBytes(target(), versionPath(ref))).equals(whole)).toBe(true)
    })

    test('a corrupt part is refused on arrival, and can be sent again', async () => {
      const ref = freshRef()
      await begin(ref)
      const request = await partRequest(target(), ref, digest, 1, hex(bytes))
      expect((await sendPresigned(target(), request, bytes.toUpperCase())).status).toBe(400)
      expect(await state(target(), ref, digest)).toMatchObject({ received: [] })
      expect((await sendPresigned(target(), request, bytes)).status).toBeLessThan(300)
    })

    test('right parts of a wrong whole fail with digest_mismatch, stay invisible, and can be restarted', async () => {
      const ref = freshRef()
      await begin(ref, OTHER_DIGEST)
      await send(ref, OTHER_DIGEST, 1, bytes)
      expect(await settled(target(), ref, OTHER_DIGEST)).toMatchObject({
        state: 'failed',
        problem: { code: 'digest_mismatch', status: 400, declared_digest: OTHER_DIGEST },
      })
      await expectInvisible(target(), ref)
      await begin(ref, OTHER_DIGEST)
    })

    test('commit without parts is 409 upload_incomplete, and the upload stays open', async () => {
      const ref = freshRef()
      await begin(ref)
      expect(expectProblem(await commit(target(), ref, digest), 'upload_incomplete')).toMatchObject({
        received: [],
        missing: [1],
      })
      expect(await state(target(), ref, digest)).toMatchObject({ state: 'open' })
    })

    test('parts of a single upload are 409 upload_conflict', async () => {
      const ref = freshRef()
      await begun(target(), ref, digest, { size: bytes.length, mode: 'single' })
      const parts = { parts: [{ number: 1, sha256: hex(bytes) }] }
      const response = await putJson(target(), `${uploadPath(ref, digest)}/parts`, parts, 'POST')
      expect(expectProblem(response, 'upload_conflict').upload).toMatchObject({ mode: 'single' })
    })

    test("parts for a version that was stored meanwhile are 409 upload_conflict, with the upload's final state", async () => {
      for (const [stored, state] of [
        ['others', 'failed'],
        [bytes, 'committed'],
      ] as const) {
        const ref = freshRef()
        await begin(ref)
        expect((await put(target(), ref, stored)).status).toBe(201)
        const parts = { parts: [{ number: 1, sha256: hex(bytes) }] }
        const response = await putJson(target(), `${uploadPath(ref, digest)}/parts`, parts, 'POST')
        expect(expectProblem(response, 'upload_conflict').upload).toMatchObject({ state })
      }
    })

    test('a content coding of a request for parts is 415', async () => {
      const ref = freshRef()
      await begin(ref)
      const response = await target().send({
        method: 'POST',
        path: `${uploadPath(ref, digest)}/parts`,
        headers: [
          ['Content-Type', 'application/json'],
          ['Content-Encoding', 'br'],
        ],
        body: Buffer.from(JSON.stringify({ parts: [{ number: 1, sha256: hex(bytes) }] })),
      })
      expectProblem(response, 'unsupported_content_encoding')
    })

    test('invalid requests for parts are 400', async () => {
      const ref = freshRef()
      await begin(ref)
      const ask = (parts: unknown) => putJson(target(), `${uploadPath(ref, digest)}/parts`, parts, 'POST')
      const one = { number: 1, sha256: hex(bytes) }
      expectFaults(await ask({}), 'body parts')
      expectFaults(await ask({ parts: [] }), 'body parts')
      expectFaults(await ask({ parts: [one, one] }), 'body parts')
      const many = Array.from({ length: 101 }, (_, at) => ({ ...one, number: at + 1 }))
      expectFaults(await ask({ parts: many }), 'body parts')
      expectFaults(
        await ask({ parts: [{ number: 0, sha256: 'x' }] }),
        'body parts[0].number',
        'body parts[0].sha256',
      )
      // There is one part only.
      expect((await ask({ parts: [{ ...one, number: 2 }] })).status).toBe(400)
    })

    test('presigned requests for the same part can be requested repeatedly', async () => {
      const ref = freshRef()
      await begin(ref)
      const requests = [
        await partRequest(target(), ref, digest, 1, hex(bytes)),
        await partRequest(target(), ref, digest, 1, hex(bytes)),
      ]
      for (const request of requests)
        expect((await sendPresigned(target(), request, bytes)).status).toBeLessThan(300)
      expect(await settled(target(), ref, digest)).toMatchObject({ state: 'committed' })
    })
  })
}
