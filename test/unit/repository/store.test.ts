/** A store is refused for the first applicable reason, before a byte is requested if possible (docs/http-api.md, section 4). */
import { describe, expect, it } from 'vitest'
import { BucketError } from '../../../lib/domain/errors.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { type StoreRequest, store } from '../../../lib/repository/store.ts'
import { digestOf, entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'
import { BYTES, DESCRIPTION, type Given, given, ID, newCommitId, OTHER_ID, refusal } from './given.ts'

/** A request that records whether its bytes were requested. */
function asking(change: Partial<StoreRequest> = {}, bytes: Uint8Array = BYTES) {
  const asked = { forBytes: false }
  const request: StoreRequest = {
    ...ID,
    description: DESCRIPTION,
    size: bytes.byteLength,
    onlyIfAbsent: false,
    body: () => {
      asked.forBytes = true
      return inChunks(bytes, Math.ceil(bytes.byteLength / 3))
    },
    commitId: newCommitId(),
    ...change,
  }
  return { request, asked }
}

const stored = async (stores: Given, id = ID, bytes: Uint8Array = BYTES) =>
  (await store(stores, asking({ ...id }, bytes).request)).entry

describe('a store', () => {
  it('returns the entry that it made', async () => {
    const stores = given()
    const entry = await stored(stores)
    expect(entry).toEqual(entryOf('models/llama/v1', BYTES))
    expect(stores.ledger.entries).toEqual([entry])
  })

  it('may have zero bytes, or an unannounced size', async () => {
    const stores = given()
    const empty = new Uint8Array()
    const { request } = asking({ digest: digestOf(empty), size: undefined }, empty)
    expect(await store(stores, request)).toMatchObject({ entry: { size: 0 } })
  })

  it('may be as large as one request may be', async () => {
    const stores = given()
    const bytes = someBytes(4 * MIB)
    const { entry } = await store(stores, asking({ digest: digestOf(bytes) }, bytes).request)
    expect(entry.size).toBe(4 * MIB)
  })
})

describe('before any byte is requested', () => {
  it('a size beyond the limit of artifacts is refused, even if the version is taken', async () => {
    const stores = given()
    await stored(stores)
    const { request, asked } = asking({ size: 64 * MIB + 1 })
    expect(await refusal(store(stores, request))).toMatchObject({
      code: 'artifact_too_large',
      details: { size: 64 * MIB + 1, maxArtifactBytes: 64 * MIB },
    })
    expect(asked.forBytes).toBe(false)
  })

  it('a size beyond one request is refused, with the alternative', async () => {
    const { request, asked } = asking({ size: 4 * MIB + 1 })
    expect(await refusal(store(given(), request))).toMatchObject({
      code: 'inline_too_large',
      details: {
        size: 4 * MIB + 1,
        maxInlineBytes: 4 * MIB,
        uploadId: ID,
      },
    })
    expect(asked.forBytes).toBe(false)
  })

  it('no alternative is named if one request may carry the largest artifact', async () => {
    const stores = { ...given(), maxInlineBytes: 128 * MIB }
    const { request } = asking({ size: 64 * MIB + 1 })
    expect(await refusal(store(stores, request))).toMatchObject({ code: 'artifact_too_large' })
  })

  it.each([
    ['the same bytes', ID, 'identical'],
    ['other bytes', OTHER_ID, 'different'],
  ])('a version taken by %s is refused', async (_, { digest }, conflict) => {
    const stores = given()
    const winner = await stored(stores)
    const { request, asked } = asking({ digest })
    expect(await refusal(store(stores, request))).toMatchObject({
      code: 'version_exists',
      details: { conflict, declaredDigest: digest, stored: { digest: winner.digest } },
    })
    expect(asked.forBytes).toBe(false)
  })

  it('a taken version is a failed precondition if the caller required its absence', async () => {
    const stores = given()
    await stored(stores)
    const { request } = asking({ onlyIfAbsent: true })
    expect(await refusal(store(stores, request))).toMatchObject({
      code: 'precondition_failed',
      details: { conflict: 'identical' },
    })
  })
})

describe('after the bytes arrived', () => {
  const nothingStored = async (request: StoreRequest, code: string) => {
    const stores = given()
    expect(await refusal(store(stores, request))).toMatchObject({ code })
    expect(stores.ledger.entries).toEqual([])
    expect(stores.blobs.count).toBe(0)
  }

  it('other bytes are refused, and nothing is stored', () =>
    nothingStored(asking({}, new TextEncoder().encode('the byteS')).request, 'digest_mismatch'))

  it('a body that exceeds the limit without announcing it is refused, and nothing is stored', () =>
    nothingStored(asking({ size: undefined }, someBytes(4 * MIB + 1)).request, 'inline_too_large'))

  it('a body with another length than announced is refused, and nothing is stored', () =>
    nothingStored(asking({ size: BYTES.byteLength + 1 }).request, 'invalid_request'))

  it('a body that breaks off stores nothing', async () => {
    const stores = given()
    const broken = new Error('connection reset')
    const body = async function* () {
      yield BYTES.subarray(0, 4)
      throw broken
    }
    await expect(store(stores, { ...asking().request, body })).rejects.toBe(broken)
    expect([stores.ledger.entries.length, stores.blobs.count]).toEqual([0, 0])
  })

  it('a version taken meanwhile is a conflict with the winner', async () => {
    const stores = given()
    const { request } = asking({
      body: async function* () {
        await stored(stores, OTHER_ID, new TextEncoder().encode('other bytes'))
        yield BYTES
      },
    })
    expect(await refusal(store(stores, request))).toMatchObject({
      code: 'version_exists',
      details: { conflict: 'different', stored: { digest: OTHER_ID.digest } },
    })
  })
})

describe('a final name that is taken', () => {
  it('by the right bytes without an attestation is accepted after they are hashed', async () => {
    const stores = given()
    stores.blobs.plant(ID, BYTES)
    expect(await stored(stores)).toMatchObject({ digest: ID.digest })
  })

  it.each([
    ['of the same length', 'the byteZ'],
    ['of another length', 'short'],
  ])('by other bytes %s refuses the store until an operator intervenes', async (_, planted) => {
    const stores = given()
    stores.blobs.plant(ID, new TextEncoder().encode(planted))
    expect(await refusal(stored(stores))).toMatchObject({ code: 'unavailable' })
    expect(stores.ledger.entries).toEqual([])
  })
})

it('a failing store is never reported as an absent version', async () => {
  const stores = given()
  const ledger = { ...stores.ledger, find: () => Promise.reject(BucketError.unavailable('no answer')) }
  const { request, asked } = asking()
  expect(await refusal(store({ ...stores, ledger }, request))).toMatchObject({
    code: 'unavailable',
  })
  expect(asked.forBytes).toBe(false)
})

describe('a store of the bytes of a stored version', () => {
  const size = BYTES.byteLength

  it('is refused as identical while the blob is there', async () => {
    const stores = given()
    await stored(stores)
    expect(await refusal(store(stores, asking().request))).toMatchObject({
      details: { conflict: 'identical' },
    })
  })

  it.each([
    ['missing', (stores: Given) => stores.blobs.lose(ID)],
    ['missing, and the size is not announced', (stores: Given) => stores.blobs.lose(ID)],
  ])('restores a blob that is %s', async (name, damage) => {
    const stores = given()
    const entry = await stored(stores)
    damage(stores)
    const announced = name.endsWith('announced') ? { size: undefined } : {}
    expect(await store(stores, { ...asking().request, ...announced })).toEqual({ outcome: 'restored', entry })
    expect(await stores.blobs.inspect(ID)).toEqual({ found: true, size, attested: true })
    expect(stores.ledger.entries).toEqual([entry])
  })

  it('restores nothing with other bytes', async () => {
    const stores = given()
    await stored(stores)
    stores.blobs.lose(ID)
    const { request } = asking({}, new TextEncoder().encode('BYTES the'))
    expect(await refusal(store(stores, request))).toMatchObject({ code: 'digest_mismatch' })
    expect((await stores.blobs.inspect(ID)).found).toBe(false)
  })

  it('is no success where only an operator can replace a blob that was cut short', async () => {
    const stores = given()
    await stored(stores)
    stores.blobs.plant(ID, BYTES.subarray(1))
    expect(await refusal(store(stores, asking().request))).toMatchObject({
      code: 'blob_lost',
      retryable: false,
      cause: { message: expect.stringContaining('remove them, then store again') },
    })
  })
})
