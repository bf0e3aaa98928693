/** The results of a commit and of an abort (docs/http-api.md, sections 7.3 and 7.5). Races are in test/simulation. */
import { describe, expect, it } from 'vitest'
import { BucketError } from '../../../lib/domain/errors.ts'
import { MIB, UPLOAD_SECONDS } from '../../../lib/domain/limits.ts'
import { abortUpload } from '../../../lib/repository/upload-abort.ts'
import { beginUpload } from '../../../lib/repository/upload-begin.ts'
import { commitUpload } from '../../../lib/repository/upload-commit.ts'
import { QUEUE_LEASE_MS } from '../../../lib/repository/upload-record.ts'
import { uploadState } from '../../../lib/repository/upload-state.ts'
import { verifyUpload } from '../../../lib/repository/verify.ts'
import { entryOf } from '../../support/fake-artifacts.ts'
import {
  arrived,
  BYTES,
  beginOf,
  type Given,
  given,
  ID,
  NOW,
  newCommitId,
  OTHER_ID,
  refusal,
  rowOf,
  storedElsewhere,
} from './given.ts'

const commit = (stores: Given, id = ID) => commitUpload(stores, { id, commitId: newCommitId() })
const otherEntry = entryOf('models/llama/v1', new TextEncoder().encode('other bytes'))

describe('the commit of a single upload', () => {
  it('stores it immediately, and finds it when repeated', async () => {
    const stores = given()
    await arrived(stores, 'single')
    expect(await commit(stores)).toEqual({ outcome: 'created', entry: entryOf('models/llama/v1', BYTES) })
    expect(await commit(stores)).toMatchObject({ outcome: 'found', entry: { digest: ID.digest } })
    expect(await uploadState(stores, ID)).toMatchObject({ state: 'committed' })
    expect(stores.queue.messages).toEqual([])
  })

  it('without bytes is refused, and the upload stays open', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('single'))
    expect(await refusal(commit(stores))).toMatchObject({
      code: 'upload_incomplete',
      details: { received: false, missing: [] },
    })
    expect(await rowOf(stores)).toMatchObject({ state: 'open' })
  })

  it('of unattested bytes reads them first', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('single'))
    stores.blobs.plant(ID, BYTES)
    expect(await commit(stores)).toMatchObject({ outcome: 'verifying', upload: { state: 'verifying' } })
    expect(stores.ledger.entries).toEqual([])
    for (const { request } of stores.queue.messages) await verifyUpload(stores, request)
    expect(stores.ledger.entries).toHaveLength(1)
  })

  it('whose bytes have another size than announced fails, and can be restarted', async () => {
    const stores = given()
    await beginUpload(stores, beginOf('single', ID, 10))
    stores.blobs.plant(ID, BYTES)
    expect(await refusal(commit(stores))).toMatchObject({ code: 'digest_mismatch', details: { size: 9 } })
    expect(await uploadState(stores, ID)).toMatchObject({
      state: 'failed',
      failure: { code: 'digest_mismatch' },
    })
    expect(await refusal(commit(stores))).toMatchObject({ code: 'digest_mismatch' })
    expect(await beginUpload(stores, beginOf('single'))).toMatchObject({ created: true })
    expect(await commit(stores)).toMatchObject({ outcome: 'verifying' })
  })
})

describe('the commit of parts', () => {
  it("is accepted, joined and queued, and renews the upload's expiry", async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    stores.time.now += 3600_000
    const result = await commit(stores)
    expect(result).toMatchObject({ outcome: 'verifying', upload: { state: 'verifying', verifiedBytes: 0 } })
    expect(stores.queue.messages).toHaveLength(1)
    expect(await rowOf(stores)).toMatchObject({ expiresAt: NOW + 3600_000 + UPLOAD_SECONDS * 1000 })
  })

  it('sends another message when repeated, unless a verifier holds the lease', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    await commit(stores)
    await commit(stores)
    expect(stores.queue.messages).toHaveLength(2)
    const row = await rowOf(stores)
    const leased = { ...row, revision: row.revision + 1, leaseOwner: 'v', leaseUntil: NOW + 1000 }
    await stores.uploads.write(leased, row)
    expect(await commit(stores)).toMatchObject({ outcome: 'verifying' })
    expect(stores.queue.messages).toHaveLength(2)
    stores.time.now += 1000
    await commit(stores)
    expect(stores.queue.messages).toHaveLength(3)
  })

  it('with missing parts names the first hundred of them', async () => {
    const stores = { ...given(), maxArtifactBytes: 4096 * MIB }
    await beginUpload(stores, beginOf('multipart', ID, 2048 * MIB))
    expect(await refusal(commit(stores))).toMatchObject({
      code: 'upload_incomplete',
      details: { received: [], missing: Array.from({ length: 100 }, (_, at) => at + 1) },
    })
    expect(await rowOf(stores)).toMatchObject({ state: 'open' })
  })

  it('that the store refuses to join leaves the upload open', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    const staging = { ...stores.staging, complete: async () => 'incomplete' as const }
    expect(
      await refusal(commitUpload({ ...stores, staging }, { id: ID, commitId: newCommitId() })),
    ).toMatchObject({
      code: 'upload_incomplete',
      details: { received: [{ number: 1 }] },
    })
    expect(await rowOf(stores)).toMatchObject({ state: 'open' })
    expect(await commit(stores)).toMatchObject({ outcome: 'verifying' })
  })
})

describe('a commit', () => {
  it('finds the digest in the ledger, no matter which request stored it, even without an upload', async () => {
    const stores = given()
    await storedElsewhere(stores)
    expect(await commit(stores)).toMatchObject({ outcome: 'found' })
  })

  it.each(['single', 'multipart'] as const)('of %s loses to other bytes, and drops its own', async (mode) => {
    const stores = given()
    await arrived(stores, mode)
    await stores.ledger.append(otherEntry, 'another')
    expect(await refusal(commit(stores))).toMatchObject({
      code: 'version_exists',
      details: { conflict: 'different', stored: { digest: OTHER_ID.digest } },
    })
    expect(await rowOf(stores)).toMatchObject({ state: 'failed', failure: { code: 'version_exists' } })
    expect(stores.staging.attempts).toEqual([])
  })

  it('finds the same bytes stored by another request, and removes the staged ones', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    const entry = await storedElsewhere(stores)
    expect(await commit(stores)).toEqual({ outcome: 'found', entry })
    expect([(await rowOf(stores)).state, stores.staging.attempts]).toEqual(['committed', []])
  })

  it('without an upload, or of an expired one, is not found', async () => {
    const stores = given()
    expect(await refusal(commit(stores))).toMatchObject({ code: 'upload_not_found' })
    await arrived(stores, 'single')
    stores.time.now += UPLOAD_SECONDS * 1000
    expect(await refusal(commit(stores))).toMatchObject({ code: 'upload_not_found' })
  })

  it('is asked to retry if other requests keep changing the row', async () => {
    const stores = given()
    await arrived(stores, 'single')
    const uploads = { ...stores.uploads, write: async () => false }
    expect(
      await refusal(commitUpload({ ...stores, uploads }, { id: ID, commitId: newCommitId() })),
    ).toMatchObject({
      code: 'unavailable',
    })
    expect(stores.ledger.entries).toEqual([])
  })

  it('has stored the entry that the ledger accepted, even if the update of the row fails', async () => {
    const stores = given()
    await arrived(stores, 'single')
    let writes = 0
    const uploads = {
      ...stores.uploads,
      write: (...row: Parameters<typeof stores.uploads.write>) =>
        ++writes === 1 ? stores.uploads.write(...row) : Promise.reject(BucketError.unavailable('no answer')),
    }
    expect(await commitUpload({ ...stores, uploads }, { id: ID, commitId: newCommitId() })).toMatchObject({
      outcome: 'created',
    })
    expect(await uploadState(stores, ID)).toMatchObject({ state: 'committed' })
  })
})

describe('an abort', () => {
  it.each(['single', 'multipart'] as const)('of %s leaves no upload, and no parts', async (mode) => {
    const stores = given()
    await arrived(stores, mode)
    await abortUpload(stores, ID)
    expect([stores.uploads.rows, stores.staging.attempts]).toEqual([[], []])
    expect(await refusal(abortUpload(stores, ID))).toMatchObject({ code: 'upload_not_found' })
    expect(await refusal(commit(stores))).toMatchObject({ code: 'upload_not_found' })
  })

  it('succeeds once the row is removed, even if the parts cannot be dropped now', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    const drop = () => Promise.reject(BucketError.unavailable('no answer'))
    await abortUpload({ ...stores, staging: { ...stores.staging, drop } }, ID)
    expect(stores.uploads.rows).toEqual([])
  })

  it('is refused while a verifier holds the lease, and possible afterwards', async () => {
    const stores = given()
    await arrived(stores, 'multipart')
    await commit(stores)
    expect(await refusal(abortUpload(stores, ID))).toMatchObject({
      code: 'upload_conflict',
      details: { upload: { state: 'verifying' } },
    })
    stores.time.now += QUEUE_LEASE_MS
    await abortUpload(stores, ID)
    expect(stores.uploads.rows).toEqual([])
  })

  it('is refused with the committed state once it is committed, even by another request', async () => {
    const stores = given()
    await arrived(stores, 'single')
    await storedElsewhere(stores)
    expect(await refusal(abortUpload(stores, ID))).toMatchObject({
      code: 'upload_conflict',
      details: { upload: { state: 'committed', entry: { digest: ID.digest } } },
    })
  })

  it('is refused as committed if the upload is gone and the ledger has its digest', async () => {
    const stores = given()
    await storedElsewhere(stores)
    expect(await refusal(abortUpload(stores, ID))).toMatchObject({
      code: 'upload_conflict',
      details: { upload: await uploadState(stores, ID) },
    })
    expect(await refusal(abortUpload(stores, OTHER_ID))).toMatchObject({
      code: 'upload_not_found',
    })
  })

  it('of an upload that has failed, or lost to other bytes, is possible', async () => {
    const stores = given()
    await arrived(stores, 'single')
    await stores.ledger.append(otherEntry, 'another')
    await refusal(commit(stores))
    await abortUpload(stores, ID)
    expect(stores.uploads.rows).toEqual([])
  })
})
