/** The blob store in a folder: the files under final names. */
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BlobId } from '../../../lib/domain/entry.ts'
import { blobFolder, blobName } from '../../../lib/local/blob-names.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { described } from '../../support/described.ts'
import { blobOf, collect, digestOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

let dataDir: string
let folder: Folder

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-blobs-'))
  folder = await openFolder(dataDir)
})
afterEach(async () => {
  await folder.close()
  await rm(dataDir, { recursive: true })
})

const pathOf = (blob: BlobId) => join(blobFolder(join(dataDir, 'blobs'), blob), blobName(blob))
const write = (blob: BlobId, bytes: AsyncIterable<Uint8Array>) =>
  folder.blobs.write(blob, bytes, {
    size: undefined,
    description: described({ contentType: 'text/plain' }),
    signal: undefined,
  })
const temporaries = () => readdir(join(dataDir, 'tmp'))

describe('a final name', () => {
  it('belongs to the verified bytes, even if another file had it before', async () => {
    const bytes = someBytes(1000)
    const blob = blobOf('b/a/v', bytes)
    await mkdir(dirname(pathOf(blob)), { recursive: true })
    await writeFile(pathOf(blob), someBytes(1000, 2))
    expect(await write(blob, inChunks(bytes, 100))).toBe('written')
    expect(digestOf(await readFile(pathOf(blob)))).toBe(blob.digest)
  })

  it('is not taken from an object that is not a regular file, and the temporary file is removed', async () => {
    const bytes = someBytes(10)
    const blob = blobOf('b/a/v', bytes)
    await mkdir(pathOf(blob), { recursive: true })
    await expect(write(blob, inChunks(bytes, 10))).rejects.toMatchObject({ code: 'unavailable' })
    expect(await folder.blobs.inspect(blob)).toEqual({ found: false })
    expect(await temporaries()).toEqual([])
  })

  it('is read-only on disk', async () => {
    const bytes = someBytes(10)
    const blob = blobOf('b/a/v', bytes)
    await write(blob, inChunks(bytes, 10))
    expect((await stat(pathOf(blob))).mode & 0o222).toBe(0)
  })

  it('is attested only by the process that wrote it', async () => {
    const bytes = someBytes(10)
    const blob = blobOf('b/a/v', bytes)
    await write(blob, inChunks(bytes, 10))
    expect(await folder.blobs.inspect(blob)).toEqual({ found: true, size: 10, attested: true })
    await folder.close()
    folder = await openFolder(dataDir)
    expect(await folder.blobs.inspect(blob)).toEqual({ found: true, size: 10, attested: false })
  })

  it.each([
    ['its artifact', (path: string) => dirname(path)],
    ['its bucket_id', (path: string) => dirname(dirname(path))],
  ])('can be stored after an operator moved the folder of %s away', async (_, folderOf) => {
    const [one, other] = [someBytes(10, 1), someBytes(10, 2)]
    await write(blobOf('b/a/v1', one), inChunks(one, 10))
    await rm(folderOf(pathOf(blobOf('b/a/v1', one))), { recursive: true })
    expect(await write(blobOf('b/a/v2', other), inChunks(other, 10))).toBe('written')
  })
})

describe('a temporary file', () => {
  it.each([10, 2_000_000])('is removed if the sender fails after %d bytes', async (size) => {
    async function* broken() {
      yield* inChunks(someBytes(size), 65_536)
      throw new Error('broken')
    }
    await expect(write(blobOf('b/a/v', someBytes(1)), broken())).rejects.toThrow('broken')
    expect(await temporaries()).toEqual([])
    expect(await readdir(join(dataDir, 'blobs'))).not.toContain('b')
  })
})

describe('reading', () => {
  const openBlobs = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(dataDir, 'blobs'))
      } catch {
        return false // closed since it was listed
      }
    })
  const stored = async (size: number) => {
    const bytes = someBytes(size)
    const blob = blobOf('b/a/v', bytes)
    await write(blob, inChunks(bytes, 65_536))
    return blob
  }

  it.runIf(process.platform === 'linux')('leaves no descriptor open, in every ending', async () => {
    const blob = await stored(3_000_000)
    const { blobs } = folder
    await collect(await blobs.read(blob, undefined, undefined))
    await blobs.read(blob, undefined, undefined) // never begun
    await blobs.read(blob, { first: 0, last: 10 }, undefined)
    for await (const _ of await blobs.read(blob, undefined, undefined)) break
    for await (const _ of await blobs.read(blob, undefined, new AbortController().signal)) break
    const failing = (async () => {
      for await (const _ of await blobs.read(blob, undefined, undefined)) throw new Error('consumer')
    })()
    await expect(failing).rejects.toThrow('consumer')
    expect(openBlobs()).toEqual([])

    const controller = new AbortController()
    const abandoned = (await blobs.read(blob, undefined, controller.signal))[Symbol.asyncIterator]()
    await abandoned.next()
    expect(openBlobs()).toHaveLength(1)
    controller.abort()
    await vi.waitFor(() => expect(openBlobs()).toEqual([]))
  })

  it('never ends early on a blob that lost bytes', async () => {
    const blob = await stored(1_000_000)
    await rm(pathOf(blob))
    await writeFile(pathOf(blob), someBytes(999_999))
    await expect(folder.blobs.read(blob, { first: 0, last: 999_999 }, undefined)).rejects.toMatchObject({
      code: 'blob_lost',
    })
  })

  it('tells a file that cannot be opened from one that is missing', async () => {
    const blob = await stored(1_000_000)
    // Opening a path below a file fails with ENOTDIR.
    await rm(dirname(pathOf(blob)), { recursive: true })
    await writeFile(dirname(pathOf(blob)), '')
    await expect(folder.blobs.inspect(blob)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(folder.blobs.read(blob, { first: 0, last: 9 }, undefined)).rejects.toMatchObject({
      code: 'unavailable',
    })
  })
})
