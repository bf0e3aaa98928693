/** Small blobs share the ledger's transactions: never an entry without its bytes, whatever is on its way when. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFolder } from '../../../lib/local/folder.ts'
import { type Commits, groupCommit } from '../../../lib/local/group-commit.ts'
import { SMALL_BLOB_BYTES, type SmallBlobs, smallBlobs } from '../../../lib/local/small-blobs.ts'
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
      await first.blobs.write(entry, inChunks(bytes, 1000), { size, contentType: 'x', signal: undefined })
      expect((await first.ledger.append(entry, 'commit')).appended).toBe(true)
      await first.close()
      expect(await readdir(join(folder, 'blobs'))).toEqual([])
      const second = await openFolder(folder)
      expect(await second.blobs.inspect(entry)).toEqual({ found: true, size, attested: true })
      expect(digestOf(await collect(await second.blobs.read(entry, undefined, undefined)))).toBe(entry.digest)
      await second.close()
    },
  )

  it('one byte larger is a file', async () => {
    const bytes = someBytes(SMALL_BLOB_BYTES + 1)
    const opened = await openFolder(folder)
    const blob = blobOf('b/a/v', bytes)
    await opened.blobs.write(blob, inChunks(bytes, 5000), {
      size: bytes.byteLength,
      contentType: 'x',
      signal: undefined,
    })
    await opened.close()
    expect(await readdir(join(folder, 'blobs'))).toEqual(['b'])
  })

  it('is kept without an entry once somebody has inspected it', async () => {
    const bytes = someBytes(100)
    const blob = blobOf('b/a/v', bytes)
    const first = await openFolder(folder)
    await first.blobs.write(blob, inChunks(bytes, 50), { size: 100, contentType: 'x', signal: undefined })
    expect(await first.blobs.inspect(blob)).toEqual({ found: true, size: 100, attested: true })
    // No close: what a process that is killed now leaves behind.
    const copy = open({ path: join(folder, 'ledger.mdb'), readOnly: true })
    expect(copy.openDB({ name: 'blobs', encoding: 'binary', keyEncoding: 'binary' }).getCount()).toBe(1)
    await copy.close()
    await first.close()
  })
})

describe('commits in groups', () => {
  let environment: RootDatabase
  let table: Database<Buffer, Buffer>
  let commits: Commits
  let blobs: SmallBlobs
  beforeEach(() => {
    const path = join(folder, 'x.mdb')
    environment = open({ path, overlappingSync: false, eventTurnBatching: false })
    table = environment.openDB({ name: 'blobs', encoding: 'binary', keyEncoding: 'binary' })
    commits = groupCommit(environment, { name: 'the table', path })
    blobs = smallBlobs(table, commits)
  })
  afterEach(async () => {
    await commits.idle()
    await environment.close()
  })
  const bytes = someBytes(10)
  const blob = blobOf('b/a/v', bytes)

  it('take a blob and its entry together when they come in one turn', () => {
    void blobs.put(blob, bytes)
    expect(blobs.beforeEntry(blob)).toBeUndefined()
  })

  it('make an entry wait for a blob that is in another group', async () => {
    const durable = blobs.put(blob, bytes)
    const { group } = commits
    while (commits.group === group) await new Promise(setImmediate)
    await blobs.beforeEntry(blob)
    await durable
    expect(table.getBinary(Buffer.from(`b/a/v/${blob.digest.slice(7)}`))).toEqual(Buffer.from(bytes))
    expect(blobs.beforeEntry(blob)).toBeUndefined()
  })

  it('fail as a whole, change nothing, and the next group goes on', async () => {
    const put = blobs.put(blob, bytes)
    const broken = commits.run(() => {
      throw new Error('this work is broken')
    })
    await expect(broken).rejects.toMatchObject({ code: 'unavailable' })
    await expect(put).rejects.toMatchObject({ code: 'unavailable' })
    expect(blobs.get(blob)).toBeUndefined()
    expect(blobs.beforeEntry(blob)).toBeUndefined()
    await blobs.put(blob, bytes)
    expect(blobs.get(blob)).toEqual(Buffer.from(bytes))
  })

  it('answer each piece of work with its own result, in the order of arrival', async () => {
    const order: number[] = []
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, at) => commits.run(() => order.push(at) && at * 2)),
    )
    expect(results).toEqual(Array.from({ length: 100 }, (_, at) => at * 2))
    expect(order).toEqual(Array.from({ length: 100 }, (_, at) => at))
  })
})
