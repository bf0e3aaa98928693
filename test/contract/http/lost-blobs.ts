/** A stored version that has lost its bytes (docs/http-api.md, sections 4, 5 and 7): it is told, and the same bytes restore it. */
import { describe, expect, type TestContext, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import {
  blobIdOf,
  entryPath,
  fetchBytes,
  get,
  json,
  put,
  type Ref,
  sha256,
  stored,
  versionPath,
} from './requests.ts'
import type { FetchMode, Target, TargetThunk } from './target.ts'
import { begun, commit, partRequest, sendPresigned, settled, state, uploadPath } from './upload-requests.ts'

/** More than a front may keep within its ledger. */
const bytes = Buffer.alloc(40_000, 'precious ')
const digest = sha256(bytes)

async function lost(target: Target, context: TestContext) {
  const { lose } = target
  if (lose === undefined) return context.skip('this front gives a test no access to its blobs')
  const { ref, entry } = await stored(target, bytes, [['X-Uploaded-By', 'the first']])
  await lose(blobIdOf(ref, digest))
  return { ref, entry }
}

export function describeLostBlobs(delivery: FetchMode, target: TargetThunk): void {
  describe('a lost blob', () => {
    if (delivery === 'direct')
      test('a fetch says that the bytes are lost and that a retry does not help; the entry stays', async (context) => {
        const { ref, entry } = await lost(target(), context)
        for (const range of [[], [['Range', 'bytes=0-9']]] as const) {
          const problem = expectProblem(await get(target(), versionPath(ref), range), 'blob_lost')
          expect(problem).toMatchObject({ status: 500, retryable: false })
        }
        expect(json(await get(target(), entryPath(ref)))).toEqual(entry)
      })

    test('a store of the same bytes restores it: 200 with the first entry', async (context) => {
      const { ref, entry } = await lost(target(), context)
      const response = await put(target(), ref, bytes, [['X-Uploaded-By', 'another']])
      expect([response.status, json(response)]).toEqual([200, entry])
      expect(header(response, 'Location')).toBe(versionPath(ref))
      expect(header(response, 'ETag')).toBe(`"${digest}"`)
      expect((await fetchBytes(target(), versionPath(ref))).equals(bytes)).toBe(true)
      expect(expectProblem(await put(target(), ref, bytes), 'version_exists')).toMatchObject({
        conflict: 'identical',
      })
    })

    test('If-None-Match: * lets it be restored', async (context) => {
      const { ref } = await lost(target(), context)
      expect((await put(target(), ref, bytes, [['If-None-Match', '*']])).status).toBe(200)
    })

    test('other bytes are refused, under their own digest and under the lost one', async (context) => {
      const { ref } = await lost(target(), context)
      expect(expectProblem(await put(target(), ref, 'other'), 'version_exists')).toMatchObject({
        conflict: 'different',
      })
      const declared = [['X-Artifact-Digest', digest]] as const
      expectProblem(await put(target(), ref, Buffer.alloc(40_000, 'x'), declared), 'digest_mismatch')
      expect((await put(target(), ref, bytes)).status).toBe(200)
    })
  })
}

export function describeLostBlobUploads(target: TargetThunk): void {
  describe('an upload of a lost blob', () => {
    const send = async (ref: Ref, mode: 'single' | 'multipart') => {
      const { request } = await begun(target(), ref, digest, { size: bytes.length, mode })
      // The entry alone does not make it committed.
      expect(await state(target(), ref, digest)).toMatchObject({ state: 'open' })
      const hex = digest.slice('sha256:'.length)
      const sent = request ?? (await partRequest(target(), ref, digest, 1, hex))
      expect((await sendPresigned(target(), sent, bytes)).status).toBeLessThan(300)
    }

    test.for(['single', 'multipart'] as const)(
      'in %s mode restores it, and never says that the bytes are stored before they are',
      async (mode, context) => {
        const { ref, entry } = await lost(target(), context)
        await send(ref, mode)
        expect(await settled(target(), ref, digest)).toMatchObject({ state: 'committed', entry })
        expect((await fetchBytes(target(), versionPath(ref))).equals(bytes)).toBe(true)
        const again = await commit(target(), ref, digest)
        expect([again.status, json(again)]).toEqual([200, entry])
      },
    )

    test('a commit without its bytes is not a success', async (context) => {
      const { ref } = await lost(target(), context)
      expectProblem(await commit(target(), ref, digest), 'upload_not_found')
      await begun(target(), ref, digest, { size: bytes.length, mode: 'single' })
      expectProblem(await commit(target(), ref, digest), 'upload_incomplete')
    })

    test('it can be aborted', async (context) => {
      const { ref } = await lost(target(), context)
      await begun(target(), ref, digest, { size: bytes.length, mode: 'single' })
      expect((await target().send({ method: 'DELETE', path: uploadPath(ref, digest) })).status).toBe(204)
    })
  })
}
