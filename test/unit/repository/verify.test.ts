/** The outcomes of a delivery: taking, taking over and keeping the lease, and wrong bytes. Races are in test/simulation. */
import { beforeEach, describe, expect, it } from 'vitest'
import { BucketError } from '../../../lib/domain/errors.ts'
import { UPLOAD_SECONDS } from '../../../lib/domain/limits.ts'
import { commitUpload } from '../../../lib/repository/upload-commit.ts'
import type { StagedBytes } from '../../../lib/repository/upload-ports.ts'
import { uploadState } from '../../../lib/repository/upload-state.ts'
import { failVerification, verifyUpload } from '../../../lib/repository/verify.ts'
import { described } from '../../support/described.ts'
import { collect, entryOf } from '../../support/fake-artifacts.ts'
import type { RuleDependencies } from '../../support/rule-dependencies.ts'
import { arrived, BYTES, type Given, given, ID, NOW, newCommitId, OTHER_ID, refusal, rowOf } from './given.ts'

const LEASE_MS = 120_000

let stores: Given
const request = async () => ({ id: ID, attempt: (await rowOf(stores)).attempt })
const verify = async (deps: RuleDependencies = stores) => verifyUpload(deps, await request())
const state = () => uploadState(stores, ID)

async function lease(owner: string, until: number, verifiedBytes = 0) {
  const row = await rowOf(stores)
  const leased = { ...row, revision: row.revision + 1, leaseOwner: owner, leaseUntil: until, verifiedBytes }
  await stores.uploads.write(leased, row)
}

/** The staging area with another object in place of the opened one. */
const staged = (change: (bytes: StagedBytes) => Partial<StagedBytes>): RuleDependencies => ({
  ...stores,
  staging: {
    ...stores.staging,
    open: async (upload) => {
      const bytes = await stores.staging.open(upload)
      return bytes && { ...bytes, ...change(bytes) }
    },
  },
})

beforeEach(async () => {
  stores = given()
  await arrived(stores, 'multipart')
  await commitUpload(stores, { id: ID, commitId: newCommitId() })
})

describe('a delivery', () => {
  it('stores the bytes, reports success, and leaves nothing staged', async () => {
    expect(await verify()).toBe('committed')
    const [entry] = stores.ledger.entries
    expect(entry).toEqual(entryOf('models/llama/v1', BYTES))
    expect(await collect(await stores.blobs.read(ID, undefined, undefined))).toEqual(BYTES)
    expect(await stores.blobs.inspect(ID)).toMatchObject({ attested: true })
    expect(await rowOf(stores)).toMatchObject({ state: 'committed', leaseOwner: null, verifiedBytes: 9 })
    expect([stores.staging.attempts, stores.staging.promotions]).toEqual([[], 0])
  })

  it('changes nothing when repeated', async () => {
    await verify()
    const row = await rowOf(stores)
    expect(await verify()).toBe('stale')
    expect(await rowOf(stores)).toEqual(row)
  })

  it('of another attempt, or of a removed or expired upload, is stale', async () => {
    expect(await verifyUpload(stores, { id: ID, attempt: 'another' })).toBe('stale')
    expect(await verifyUpload(stores, { id: OTHER_ID, attempt: 'another' })).toBe('stale')
    stores.time.now += UPLOAD_SECONDS * 1000
    expect(await verify()).toBe('stale')
    expect(stores.ledger.entries).toEqual([])
  })

  it('joins the parts if they are not joined yet', async () => {
    const early = given()
    await arrived(early, 'multipart')
    const complete = () => Promise.reject(BucketError.unavailable('no answer'))
    const deps = { ...early, staging: { ...early.staging, complete } }
    await refusal(commitUpload(deps, { id: ID, commitId: newCommitId() }))
    expect(await verifyUpload(early, { id: ID, attempt: (await rowOf(early)).attempt })).toBe('committed')
  })

  it('of an upload whose parts are missing fails it, and it can be restarted', async () => {
    await stores.staging.drop(await rowOf(stores))
    expect(await verify()).toBe('failed')
    expect(await state()).toMatchObject({
      state: 'failed',
      failure: { code: 'unavailable' },
    })
  })

  it('finds the bytes under their final name after the staged ones moved there', async () => {
    await stores.staging.drop(await rowOf(stores))
    stores.blobs.plant(ID, BYTES)
    expect(await verify()).toBe('committed')
  })

  it('does not accept other bytes under the final name', async () => {
    await stores.staging.drop(await rowOf(stores))
    stores.blobs.plant(ID, new TextEncoder().encode('the byteZ'))
    expect(await verify()).toBe('failed')
    expect(stores.ledger.entries).toEqual([])
  })

  it('reads nothing if an attested blob exists', async () => {
    await stores.blobs.write(
      ID,
      (async function* () {
        yield BYTES
      })(),
      { size: 9, description: described(), signal: undefined },
    )
    const deps = staged(() => ({ read: () => expect.unreachable() as never }))
    expect(await verify(deps)).toBe('committed')
  })

  it('of bytes whose version was taken fails without reading them', async () => {
    await stores.ledger.append(entryOf('models/llama/v1', new TextEncoder().encode('other bytes')), 'another')
    const deps = staged(() => ({ read: () => expect.unreachable() as never }))
    expect(await verify(deps)).toBe('failed')
    expect(await state()).toMatchObject({ state: 'failed', failure: { code: 'version_exists' } })
    expect(stores.staging.attempts).toEqual([])
  })
})

describe('bytes that are not those of the digest', () => {
  it.each([
    ['other bytes', 'the byteZ'],
    ['fewer bytes', 'the byte'],
    ['more bytes', 'the bytes!'],
  ])('(%s) fail the upload, and get no final name', async (_, text) => {
    const wrong = new TextEncoder().encode(text)
    const deps = staged(() => ({
      read: async function* () {
        yield wrong
      },
    }))
    expect(await verify(deps)).toBe('failed')
    expect(await state()).toMatchObject({
      state: 'failed',
      failure: {
        code: 'digest_mismatch',
        details: { declaredDigest: ID.digest, size: wrong.byteLength },
      },
    })
    expect([stores.blobs.count, stores.staging.promotions]).toEqual([0, 0])
    expect([stores.staging.attempts, stores.ledger.entries]).toEqual([[], []])
  })

  it('under a final name that a publish finds taken also fail it', async () => {
    const deps = staged((bytes) => ({
      promote: async (blob) => {
        const promotion = await bytes.promote(blob, described())
        return {
          ...promotion,
          publish: (signal) => {
            stores.blobs.plant(ID, new TextEncoder().encode('the byteZ'))
            return promotion.publish(signal)
          },
        }
      },
    }))
    expect(await verify(deps)).toBe('failed')
    expect(await state()).toMatchObject({ failure: { code: 'unavailable' } })
    expect(stores.ledger.entries).toEqual([])
  })
})

describe('the lease', () => {
  it('keeps a second verifier away while it is valid, and its delivery is repeated', async () => {
    await lease('the first', NOW + LEASE_MS)
    expect(await refusal(verify())).toMatchObject({ code: 'unavailable' })
    expect(await rowOf(stores)).toMatchObject({ leaseOwner: 'the first' })
  })

  it('that has expired is taken over, and the bytes are read from the start', async () => {
    await lease('the first', NOW + LEASE_MS, 5)
    stores.time.now += LEASE_MS
    const seen: unknown[] = []
    const deps = staged((bytes) => ({
      read: async function* (signal) {
        seen.push(await rowOf(stores))
        yield* bytes.read(signal)
      },
    }))
    expect(await verify(deps)).toBe('committed')
    expect(seen).toMatchObject([{ verifiedBytes: 0, leaseUntil: stores.time.now + LEASE_MS }])
    expect(seen).not.toMatchObject([{ leaseOwner: 'the first' }])
  })

  it('is renewed with the progress while bytes are read', async () => {
    const seen: unknown[] = []
    const deps = staged(() => ({
      read: async function* () {
        for (const byte of BYTES) {
          stores.time.now += 6_000
          yield Uint8Array.of(byte)
          seen.push((await rowOf(stores)).verifiedBytes)
        }
      },
    }))
    expect(await verify(deps)).toBe('committed')
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(stores.ledger.entries).toHaveLength(1)
  })

  it('that another verifier has taken over stops this one before it publishes', async () => {
    const deps = staged((bytes) => ({
      read: async function* (signal) {
        await lease('another', NOW + LEASE_MS)
        yield* bytes.read(signal)
      },
    }))
    expect(await refusal(verify(deps))).toMatchObject({ code: 'unavailable' })
    expect([stores.blobs.count, stores.staging.promotions]).toEqual([0, 0])
    expect(await rowOf(stores)).toMatchObject({ leaseOwner: 'another', state: 'verifying' })
  })

  it('is renewed while the verifier waits for copies, and before these get their name', async () => {
    const seen: number[] = []
    const until = async () => (await rowOf(stores)).leaseUntil - NOW
    const deps = staged((bytes) => ({
      promote: async (blob) => {
        const promotion = await bytes.promote(blob, described())
        return {
          ...promotion,
          waitForCopies: async (keep) => {
            for (let waited = 0; waited < 3; waited += 1) {
              stores.time.now += 60_000
              await keep()
              seen.push(await until())
            }
            stores.time.now += 1_000
          },
          publish: async (signal) => {
            seen.push(await until())
            return promotion.publish(signal)
          },
        }
      },
    }))
    expect(await verify(deps)).toBe('committed')
    expect(seen).toEqual([60_000, 120_000, 180_000, 181_000].map((waited) => waited + LEASE_MS))
  })

  it('that is lost while the verifier waits for copies stops it before it publishes', async () => {
    const deps = staged((bytes) => ({
      promote: async (blob) => ({
        ...(await bytes.promote(blob, described())),
        waitForCopies: async (keep) => {
          stores.time.now += LEASE_MS
          await lease('another', stores.time.now + LEASE_MS)
          await keep()
        },
        publish: () => expect.unreachable() as never,
      }),
    }))
    expect(await refusal(verify(deps))).toMatchObject({ code: 'unavailable' })
    expect(await rowOf(stores)).toMatchObject({ leaseOwner: 'another', state: 'verifying' })
  })

  it('whose renewal takes longer than its duration is lost', async () => {
    const uploads = {
      ...stores.uploads,
      write: async (...row: Parameters<typeof stores.uploads.write>) => {
        const isWritten = await stores.uploads.write(...row)
        if (stores.blobs.count > 0) stores.time.now += LEASE_MS
        return isWritten
      },
    }
    expect(await refusal(verify({ ...stores, uploads }))).toMatchObject({ code: 'unavailable' })
    expect(stores.ledger.entries).toEqual([])
  })

  it('is released if a store fails, so that the next delivery begins at once', async () => {
    const broken = BucketError.unavailable('no answer')
    const deps = staged(() => ({
      // biome-ignore lint/correctness/useYield: it fails before its first byte
      read: async function* () {
        throw broken
      },
    }))
    await expect(verify(deps)).rejects.toBe(broken)
    expect(await rowOf(stores)).toMatchObject({ state: 'verifying', leaseOwner: null })
    expect(stores.staging.promotions).toBe(0)
    expect(await verify()).toBe('committed')
  })

  it('is released when the verifier is stopped', async () => {
    const stop = AbortSignal.abort(new Error('time is up'))
    await expect(verifyUpload(stores, await request(), stop)).rejects.toThrow('time is up')
    expect(await rowOf(stores)).toMatchObject({ leaseOwner: null })
  })

  it('is released when the verifier is stopped while it waits for copies', async () => {
    const stop = new AbortController()
    const deps = staged((bytes) => ({
      promote: async (blob) => ({
        ...(await bytes.promote(blob, described())),
        waitForCopies: async (_, signal) => {
          stop.abort(new Error('time is up'))
          signal?.throwIfAborted()
        },
      }),
    }))
    await expect(verifyUpload(deps, await request(), stop.signal)).rejects.toThrow('time is up')
    expect(await rowOf(stores)).toMatchObject({ leaseOwner: null })
    expect([stores.blobs.count, stores.staging.promotions]).toEqual([0, 0])
  })

  it('leaves no promotion behind if publishing fails', async () => {
    const broken = BucketError.unavailable('no answer')
    const deps = staged((bytes) => ({
      promote: async (blob) => ({
        ...(await bytes.promote(blob, described())),
        publish: () => Promise.reject(broken),
      }),
    }))
    await expect(verify(deps)).rejects.toBe(broken)
    expect(stores.staging.promotions).toBe(0)
  })
})

describe('dead letters', () => {
  it('fail the upload, which can be restarted', async () => {
    await failVerification(stores, await request())
    expect(await state()).toMatchObject({
      state: 'failed',
      failure: { code: 'unavailable' },
    })
  })

  it('of another attempt, or of a finished upload, change nothing', async () => {
    await failVerification(stores, { id: ID, attempt: 'another' })
    expect(await rowOf(stores)).toMatchObject({ state: 'verifying' })
    await verify()
    await failVerification(stores, await request())
    expect(await rowOf(stores)).toMatchObject({ state: 'committed' })
  })

  it('are postponed while a verifier holds the lease', async () => {
    await lease('a verifier', NOW + LEASE_MS)
    expect(await refusal(failVerification(stores, await request()))).toMatchObject({ code: 'unavailable' })
    expect(await rowOf(stores)).toMatchObject({ state: 'verifying' })
  })
})

describe('a single upload', () => {
  beforeEach(async () => {
    stores = given()
  })
  const planted = async (bytes: Uint8Array) => {
    await arrivedUnattested(bytes)
    return verify()
  }
  const arrivedUnattested = async (bytes: Uint8Array) => {
    await arrived(stores, 'single')
    stores.blobs.plant(ID, bytes)
    await commitUpload(stores, { id: ID, commitId: newCommitId() })
  }

  it('is hashed in place', async () => {
    expect(await planted(BYTES)).toBe('committed')
  })

  it('of other bytes fails, and they stay invisible', async () => {
    expect(await planted(new TextEncoder().encode('the byteZ'))).toBe('failed')
    expect(await state()).toMatchObject({ failure: { code: 'digest_mismatch' } })
    expect(stores.ledger.entries).toEqual([])
  })

  it('whose bytes vanished fails', async () => {
    await arrivedUnattested(BYTES)
    const blobs = { ...stores.blobs, inspect: async () => ({ found: false }) as const }
    expect(await verify({ ...stores, blobs })).toBe('failed')
  })
})
