/** A fetch finds only the exact reference, and a required digest must be the stored one. */
import { describe, expect, it } from 'vitest'
import { parseRef } from '../../../lib/domain/refs.ts'
import { findEntry, presignFetch, readBytes } from '../../../lib/repository/fetch.ts'
import { collect, entryOf } from '../../support/fake-artifacts.ts'
import { BYTES, given, ID, NOW, OTHER_ID, refusal } from './given.ts'

const entry = entryOf('models/llama/v1', BYTES)

async function holding() {
  const stores = given()
  stores.blobs.plant(ID, BYTES)
  await stores.ledger.append(entry, 'before')
  return stores
}

describe('an artifact version', () => {
  it('is found by its reference, with or without its digest', async () => {
    const stores = await holding()
    expect(await findEntry(stores, ID.ref, undefined)).toEqual(entry)
    expect(await findEntry(stores, ID.ref, ID.digest)).toEqual(entry)
  })

  it('is not found by a reference that differs in one byte', async () => {
    const stores = await holding()
    for (const text of ['models/llama/V1', 'models/llama/v', 'models/llama/v1.', 'model/sllama/v1'])
      expect(await refusal(findEntry(stores, parseRef(text), undefined))).toMatchObject({
        code: 'version_not_found',
      })
  })

  it('is refused with both digests if the caller requires another', async () => {
    const stores = await holding()
    expect(await refusal(findEntry(stores, ID.ref, OTHER_ID.digest))).toMatchObject({
      code: 'digest_differs',
      details: { expectedDigest: OTHER_ID.digest, storedDigest: ID.digest },
    })
  })

  it('returns its bytes, a range of them, or a presigned request that is valid for an hour', async () => {
    const stores = await holding()
    expect(await collect(await readBytes(stores, entry, undefined, undefined))).toEqual(BYTES)
    const range = { first: 4, last: 8 }
    expect(await collect(await readBytes(stores, entry, range, undefined))).toEqual(BYTES.subarray(4, 9))
    const { expiresAt } = await presignFetch(stores, entry)
    expect(Date.parse(expiresAt)).toBe(NOW + 3600_000)
  })
})
