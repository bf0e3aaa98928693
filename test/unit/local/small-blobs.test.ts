/** Small blobs are in the records of their entries: an entry never lacks its bytes, no matter what runs at the same time. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseRef } from '../../../lib/domain/refs.ts'
import { openFolder } from '../../../lib/local/folder.ts'
import { heldBlobs } from '../../../lib/local/ledger/held-blobs.ts'
import { SMALL_BLOB_BYTES } from '../../../lib/local/ledger/record.ts'
import { described } from '../../support/described.ts'
import { blobOf, collect, digestOf, entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-small-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('a small blob', () => {
  it.each([0, 1, SMALL_BLOB_BYTES])(
    'of %i bytes needs no file, and survives a restart with its entry',
    async (size) => {
      const bytes = someBytes(size)
      const entry = entryOf('b/a/v', bytes)
      const first = await openFolder(folder)
      await first.blobs.write(entry, inChunks(bytes, 1000), {
        size,
        description: described(),
        signal: undefined,
      })
      expect((await first.ledger.append(entry, 'commit')).appended).toBe(true)
      await first.close()
      expect(await readdir(join(folder, 'blobs'))).not.toContain('b')
      const second = await openFolder(folder)
      expect(await second.blobs.inspect(entry)).toEqual({ found: true, size, attested: true })
      expect(digestOf(await collect(await second.blobs.read(entry, undefined, undefined)))).toBe(entry.digest)
      await second.close()
    },
  )

  it.each([0, 1, SMALL_BLOB_BYTES])(
    'of %i bytes that comes with its entry survives a restart',
    async (size) => {
      const bytes = someBytes(size)
      const entry = entryOf('b/a/v', bytes)
      const first = await openFolder(folder)
      expect(await first.ledger.appendWhole(entry, bytes, 'commit')).toEqual({ appended: true, entry })
      await first.close()
      const second = await openFolder(folder)
      expect(await second.ledger.find(entry.ref)).toEqual(entry)
      expect(digestOf(await collect(await second.blobs.read(entry, undefined, undefined)))).toBe(entry.digest)
      await second.close()
    },
  )

  it('that comes with its entry and is one byte too large is refused', async () => {
    const bytes = someBytes(SMALL_BLOB_BYTES + 1)
    const entry = entryOf('b/a/v', bytes)
    const opened = await openFolder(folder)
    await expect(opened.ledger.appendWhole(entry, bytes, 'commit')).rejects.toThrow('does not fit')
    expect(await opened.ledger.find(entry.ref)).toBeUndefined()
    await opened.close()
  })

  it('has the bytes of the entry that won, if several came with their bytes at once', async () => {
    const opened = await openFolder(folder)
    const stores = [1, 2, 3].map((seed) => {
      const bytes = someBytes(100, seed)
      return opened.ledger.appendWhole(entryOf('b/a/v', bytes), bytes, String(seed))
    })
    const results = await Promise.all(stores)
    expect(results.map(({ appended }) => appended)).toEqual([true, false, false])
    const [{ entry }] = results as [(typeof results)[0]]
    expect(await collect(await opened.blobs.read(entry, undefined, undefined))).toEqual(someBytes(100, 1))
    await opened.close()
  })

  it('one byte larger is a file', async () => {
    const bytes = someBytes(SMALL_BLOB_BYTES + 1)
    const opened = await openFolder(folder)
    const blob = blobOf('b/a/v', bytes)
    await opened.blobs.write(blob, inChunks(bytes, 5000), {
      size: bytes.byteLength,
      description: described(),
      signal: undefined,
    })
    await opened.close()
    expect(await readdir(join(folder, 'blobs'))).toContain('b')
  })

  it('becomes a durable file if it is inspected before it has an entry', async () => {
    const bytes = someBytes(100)
    const blob = blobOf('b/a/v', bytes)
    const first = await openFolder(folder)
    await first.blobs.write(blob, inChunks(bytes, 50), {
      size: 100,
      description: described(),
      signal: undefined,
    })
    expect(await readdir(join(folder, 'blobs'))).not.toContain('b')
    expect(await first.blobs.inspect(blob)).toEqual({ found: true, size: 100, attested: true })
    expect(await readdir(join(folder, 'blobs'))).toContain('b')
    await first.close()
    const second = await openFolder(folder)
    expect(await second.blobs.inspect(blob)).toMatchObject({ found: true, size: 100 })
    await second.close()
  })

  it('that lost a race leaves nothing behind', async () => {
    const opened = await openFolder(folder)
    const [first, second] = [entryOf('b/a/v', someBytes(10, 1)), entryOf('b/a/v', someBytes(10, 2))]
    for (const [entry, seed] of [
      [first, 1],
      [second, 2],
    ] as const)
      await opened.blobs.write(entry, inChunks(someBytes(10, seed), 10), {
        size: 10,
        description: described(),
        signal: undefined,
      })
    expect((await opened.ledger.append(first, '1')).appended).toBe(true)
    expect((await opened.ledger.append(second, '2')).appended).toBe(false)
    expect(await opened.blobs.inspect(second)).toEqual({ found: false })
    await opened.close()
  })

  it('stored twice concurrently has one winning entry, with its bytes', async () => {
    const bytes = someBytes(10)
    const entry = entryOf('b/a/v', bytes)
    const opened = await openFolder(folder)
    const store = async (commitId: string) => {
      await opened.blobs.write(entry, inChunks(bytes, 10), {
        size: 10,
        description: described(),
        signal: undefined,
      })
      return opened.ledger.append(entry, commitId)
    }
    const results = await Promise.all(['1', '2', '3'].map(store))
    expect(results.filter(({ appended }) => appended)).toHaveLength(1)
    expect(await collect(await opened.blobs.read(entry, undefined, undefined))).toEqual(bytes)
    await opened.close()
  })
})

describe('small blobs that wait for their entry', () => {
  const bytes = someBytes(16 * 1024)
  const blob = blobOf('b/a/v', bytes)

  it('stay in memory until each of their stores has a response', () => {
    const held = heldBlobs()
    held.hold(blob, bytes)
    held.hold(blob, bytes)
    held.release(blob)
    expect(held.get(blob)).toBe(bytes)
    held.release(blob)
    expect(held.get(blob)).toBeUndefined()
  })

  it('stay in memory up to a limit, and again once there is space', () => {
    const held = heldBlobs()
    const blobs = Array.from({ length: 1025 }, (_, at) => ({ ...blob, ref: parseRef(`b/a/v${at}`) }))
    expect(blobs.map((each) => held.hold(each, bytes))).toEqual(blobs.map((_, at) => at < 1024))
    if (blobs[0]) held.release(blobs[0])
    expect(held.hold({ ...blob, ref: parseRef('b/a/next') }, bytes)).toBe(true)
  })
})
