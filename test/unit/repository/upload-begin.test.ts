/** Beginning an upload, and finding it again from anywhere by reference and digest (docs/http-api.md, sections 7.1 and 7.2). */
import { describe, expect, it } from 'vitest'
import { EMPTY_DIGEST } from '../../../lib/domain/digest.ts'
import { GIB, MIB, UPLOAD_SECONDS } from '../../../lib/domain/limits.ts'
import { presignParts } from '../../../lib/repository/presign-parts.ts'
import { beginUpload } from '../../../lib/repository/upload-begin.ts'
import { commitUpload } from '../../../lib/repository/upload-commit.ts'
import { uploadState } from '../../../lib/repository/upload-state.ts'
import {
  arrived,
  BYTES,
  beginOf,
  given,
  ID,
  NOW,
  newCommitId,
  OTHER_ID,
  refusal,
  rowOf,
  sendPart,
  storedElsewhere,
} from './given.ts'

const SHA256 = 'a'.repeat(64)

describe('a begin', () => {
  it('of a single upload returns the request that stores its bytes', async () => {
    const stores = given()
    const { created, upload } = await beginUpload(stores, beginOf('single'))
    expect(created).toBe(true)
    expect(upload).toMatchObject({
      ...{ mode: 'single', state: 'open', received: false, size: 9 },
      request: { method: 'PUT', headers: { 'content-length': '9' } },
    })
    expect(upload.expiresAt).toBe(new Date(NOW + UPLOAD_SECONDS * 1000).toISOString())
  })

  it('of a multipart upload returns the sizes of its parts', async () => {
    const request = beginOf('multipart', ID, 40 * MIB)
    const { upload } = await beginUpload(given(), request)
    expect(upload).toMatchObject({ mode: 'multipart', received: [] })
    expect(upload).not.toHaveProperty('request')
  })

  it('finds the same upload again, with the received bytes and the first description', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    const { attempt } = await rowOf(stores)
    const again = {
      ...beginOf('single'),
      description: { ...beginOf('single').description, uploadedBy: 'me' },
    }
    const { created, upload } = await beginUpload(stores, again)
    expect(created).toBe(false)
    expect(upload).toMatchObject({
      mode: 'multipart',
      received: [{ number: 1, size: 9 }],
      description: { uploadedBy: null },
    })
    expect((await rowOf(stores)).attempt).toBe(attempt)
  })

  it('finds a single upload whose bytes were received', async () => {
    const stores = given()
    await arrived(stores, 'single')
    const { upload } = await beginUpload(stores, beginOf('single'))
    expect(upload).toMatchObject({ received: true })
  })

  it.each([
    ['zero bytes are single in any requested mode', 0, 'multipart', 'single'],
    ['64 MiB are single', 64 * MIB, undefined, 'single'],
    ['more are parts', 64 * MIB + 1, undefined, 'multipart'],
    ['single is possible where it is asked for', 65 * MIB, 'single', 'single'],
    ['parts are possible where they are asked for', 1, 'multipart', 'multipart'],
  ] as const)('%s', async (_, size, mode, expected) => {
    const stores = { ...given(), maxArtifactBytes: 5 * GIB }
    const id = size === 0 ? { ...ID, digest: EMPTY_DIGEST } : ID
    const { upload } = await beginUpload(stores, { ...beginOf('single', id, size), mode })
    expect(upload.mode).toBe(expected)
  })

  it('refuses zero bytes under the digest of other bytes, and opens no upload', async () => {
    const stores = given()
    expect(await refusal(beginUpload(stores, beginOf('single', ID, 0)))).toMatchObject({
      code: 'invalid_request',
      details: { errors: [{ name: 'size' }] },
    })
    expect(stores.uploads.rows).toEqual([])
  })

  it.each(['single', 'multipart'] as const)('accepts exactly the largest artifact, %s', async (mode) => {
    const stores = { ...given(), maxArtifactBytes: 1_000 }
    const { created } = await beginUpload(stores, beginOf(mode, ID, 1_000))
    expect(created).toBe(true)
  })

  it('refuses a single upload above 5 GiB as malformed, and anything above the limit as too large', async () => {
    const stores = { ...given(), maxArtifactBytes: 6 * GIB }
    const single = beginOf('single', ID, 5 * GIB + 1)
    expect(await refusal(beginUpload(stores, single))).toMatchObject({
      code: 'invalid_request',
      details: { errors: [{ name: 'mode' }] },
    })
    const large = beginOf('multipart', ID, 6 * GIB + 1)
    expect(await refusal(beginUpload(stores, large))).toMatchObject({
      code: 'artifact_too_large',
      details: { size: 6 * GIB + 1, maxArtifactBytes: 6 * GIB },
    })
    expect(stores.uploads.rows).toEqual([])
  })

  it.each([
    ['the same bytes', ID, 'identical'],
    ['other bytes', OTHER_ID, 'different'],
  ])('is refused if %s have the version', async (_, id, conflict) => {
    const stores = given()
    await storedElsewhere(stores)
    expect(await refusal(beginUpload(stores, beginOf('single', id)))).toMatchObject({
      code: 'version_exists',
      details: { conflict },
    })
  })

  it('of another size is refused, and shows the existing upload', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('single'))
    const error = await refusal(beginUpload(stores, beginOf('single', ID, 10)))
    expect(error).toMatchObject({ code: 'upload_conflict', details: { upload: { size: 9, state: 'open' } } })
  })

  it('after an upload has expired restarts it, and drops its parts', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    const { attempt } = await rowOf(stores)
    stores.time.now += UPLOAD_SECONDS * 1000
    const { created, upload } = await beginUpload(stores, beginOf('multipart'))
    expect([created, upload]).toMatchObject([true, { received: [] }])
    expect(stores.staging.attempts).not.toContain(attempt)
  })

  it('restarts an open upload whose parts are missing', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    await stores.staging.drop(await rowOf(stores))
    expect(await beginUpload(stores, beginOf('multipart'))).toMatchObject({ created: true })
  })

  it('restarts an upload whose row says committed if the ledger has no entry', async () => {
    const stores = given()
    await arrived(stores, 'single')
    await commitUpload(stores, { id: ID, commitId: newCommitId() })
    const restored = { ...given(), uploads: stores.uploads }
    expect(await beginUpload(restored, beginOf('single'))).toMatchObject({ created: true })
  })
})

describe('requests for parts', () => {
  it('are returned for parts of the right length, any number of times', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('multipart', ID, 40 * MIB))
    const asked = [
      { number: 3, sha256: SHA256 },
      { number: 1, sha256: SHA256 },
    ]
    const parts = await presignParts(stores, ID, asked)
    expect(parts.map(({ number, request }) => [number, request.headers['content-length']])).toEqual([
      [3, String(8 * MIB)],
      [1, String(16 * MIB)],
    ])
    expect(await presignParts(stores, ID, asked)).toHaveLength(2)
  })

  it('expire no later than their upload', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('multipart'))
    const { expiresAt } = await rowOf(stores)
    stores.time.now = expiresAt - 60_000
    const parts = await presignParts(stores, ID, [{ number: 1, sha256: SHA256 }])
    expect(parts[0]?.request.expiresAt).toBe(new Date(expiresAt).toISOString())
  })

  it('beyond the last part are refused, each by number', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('multipart'))
    const asked = [2, 1, 10_000].map((number) => ({ number, sha256: SHA256 }))
    expect(await refusal(presignParts(stores, ID, asked))).toMatchObject({
      code: 'invalid_request',
      details: { errors: [{ name: 'parts[0].number' }, { name: 'parts[2].number' }] },
    })
  })

  it('of a single upload, or of one that is being verified, are refused with the upload', async () => {
    const stores = given()
    const asked = [{ number: 1, sha256: SHA256 }]
    await beginUpload(stores, beginOf('single', OTHER_ID))
    expect(await refusal(presignParts(stores, OTHER_ID, asked))).toMatchObject({
      code: 'upload_conflict',
      details: { upload: { mode: 'single', state: 'open' } },
    })
    await arrived(stores, 'multipart')
    await commitUpload(stores, { id: ID, commitId: newCommitId() })
    expect(await refusal(presignParts(stores, ID, asked))).toMatchObject({
      code: 'upload_conflict',
      details: { upload: { state: 'verifying' } },
    })
  })

  it('of one that is committed, with or without its row, are refused with its entry', async () => {
    const stores = given()
    const asked = [{ number: 1, sha256: SHA256 }]
    await arrived(stores, 'single')
    await commitUpload(stores, { id: ID, commitId: newCommitId() })
    const committed = {
      code: 'upload_conflict',
      details: { upload: { state: 'committed', entry: { digest: ID.digest } } },
    }
    expect(await refusal(presignParts(stores, ID, asked))).toMatchObject(committed)
    stores.time.now += UPLOAD_SECONDS * 1000
    expect(await refusal(presignParts(stores, ID, asked))).toMatchObject(committed)
  })

  it('for a version that is now stored are refused, so that clients send no bytes for it', async () => {
    const asked = [{ number: 1, sha256: SHA256 }]
    for (const [bytes, state] of [
      [BYTES, 'committed'],
      [new TextEncoder().encode('other bytes'), 'failed'],
    ] as const) {
      const stores = given()
      await beginUpload(stores, beginOf('multipart'))
      await storedElsewhere(stores, bytes)
      expect(await refusal(presignParts(stores, ID, asked))).toMatchObject({
        code: 'upload_conflict',
        details: { upload: { state } },
      })
    }
  })

  it('without an upload, or after its expiry, are refused', async () => {
    const stores = given()
    const asked = [{ number: 1, sha256: SHA256 }]
    expect(await refusal(presignParts(stores, ID, asked))).toMatchObject({
      code: 'upload_not_found',
    })
    await beginUpload(stores, beginOf('multipart'))
    stores.time.now += UPLOAD_SECONDS * 1000
    expect(await refusal(presignParts(stores, ID, asked))).toMatchObject({
      code: 'upload_not_found',
    })
  })
})

describe('the state of an upload', () => {
  it('lists the received parts to a caller with the ref and the digest', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('multipart'))
    expect(await uploadState(stores, ID)).toMatchObject({ state: 'open', received: [] })
    await sendPart(stores, ID, BYTES)
    expect(await uploadState(stores, ID)).toMatchObject({
      received: [{ number: 1, size: 9, sha256: ID.digest.slice(7) }],
    })
  })

  it('holds no request that could write', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('single'))
    expect(await uploadState(stores, ID)).not.toHaveProperty('request')
  })

  it('is not found before a begin, of another digest, and after its end', async () => {
    const stores = given()
    const gone = async (id = ID) =>
      expect(await refusal(uploadState(stores, id))).toMatchObject({ code: 'upload_not_found' })
    await gone()
    await beginUpload(stores, beginOf('single'))
    await gone({ ...ID, digest: EMPTY_DIGEST })
    stores.time.now += UPLOAD_SECONDS * 1000
    await gone()
  })

  it('is committed if the ledger has the digest, even if the upload has expired', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('single'))
    await storedElsewhere(stores)
    const committed = { state: 'committed', entry: { digest: ID.digest } }
    expect(await uploadState(stores, ID)).toMatchObject(committed)
    stores.time.now += UPLOAD_SECONDS * 1000
    expect(await uploadState(stores, ID)).toMatchObject(committed)
  })

  it('is failed, with the winner, if other bytes have the version', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('single', OTHER_ID))
    await storedElsewhere(stores)
    expect(await uploadState(stores, OTHER_ID)).toMatchObject({
      state: 'failed',
      failure: {
        code: 'version_exists',
        details: { conflict: 'different', stored: { digest: ID.digest } },
      },
    })
  })
})
