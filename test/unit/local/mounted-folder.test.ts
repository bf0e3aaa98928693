/** Data folders with mounts in them, and file systems that run out of inodes: told at the start, or as what they are. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest'
import { FolderRefused, openFolder } from '../../../lib/local/folder.ts'
import { collect, entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

let root: string
let dataDir: string
const mounted: string[] = []
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bucket-mounts-'))
  dataDir = join(root, 'data')
})
afterEach(() => {
  for (const path of mounted.splice(0).reverse()) execFileSync('umount', [path])
  rmSync(root, { recursive: true, force: true })
})

/** @param args of mount(8), without the folder. */
function mount(context: TestContext, folder: string, ...args: string[]): void {
  mkdirSync(folder, { recursive: true })
  context.skip(spawnSync('mount', [...args, folder]).status !== 0, 'a file system cannot be mounted here')
  mounted.push(folder)
}

describe('a folder of the data folder on another file system', () => {
  it.for(['blobs', 'tmp', 'staging'])(
    '(%s) is refused at the start, and left as it was',
    async (name, context) => {
      await (await openFolder(dataDir)).close()
      mount(context, join(dataDir, name), '-t', 'tmpfs', 'tmpfs')
      await expect(openFolder(dataDir)).rejects.toThrow('is on another file system than')
      await expect(openFolder(dataDir)).rejects.toBeInstanceOf(FolderRefused)
      expect(readdirSync(join(dataDir, 'blobs')).filter((name) => name !== '.ledger-end')).toEqual([])
    },
  )

  it('is refused, too, if it is the same file system mounted a second time', async (context) => {
    await (await openFolder(dataDir)).close()
    mkdirSync(join(root, 'elsewhere'))
    mount(context, join(dataDir, 'blobs'), '--bind', join(root, 'elsewhere'))
    await expect(openFolder(dataDir)).rejects.toThrow('is on another file system than')
  })
})

describe('a file system that is out of inodes', () => {
  it('is reported as such, with and without an announced size, and stored artifacts can be read', async (context) => {
    const disk = join(root, 'disk')
    mount(context, disk, '-t', 'tmpfs', '-o', 'size=64m,nr_inodes=100', 'tmpfs')
    const folder = await openFolder(join(disk, 'data'))
    try {
      const stored = entryOf('b/a/v1', someBytes(50_000))
      const write = (size: number | undefined, entry = stored) =>
        folder.blobs.write(entry, inChunks(someBytes(50_000), 10_000), {
          size,
          description: entry,
          signal: undefined,
        })
      await write(50_000)
      await folder.ledger.append(stored, 'commit')
      let count = 0
      try {
        for (; ; count++) writeFileSync(join(disk, `filler-${count}`), '')
      } catch {
        expect(count).toBeGreaterThan(10)
      }
      const refusal = {
        code: 'insufficient_storage',
        message: expect.stringContaining('out of inodes'),
        next: expect.stringContaining('inodes'),
      }
      for (const size of [50_000, undefined])
        await expect(write(size, entryOf('b/new/v', someBytes(50_000)))).rejects.toMatchObject(refusal)
      expect((await collect(await folder.blobs.read(stored, undefined, undefined))).byteLength).toBe(50_000)
      // A small store needs no inode of its own.
      const small = entryOf('b/a/small', someBytes(10))
      await folder.blobs.write(small, inChunks(someBytes(10), 10), {
        size: 10,
        description: small,
        signal: undefined,
      })
      expect(await folder.ledger.append(small, 'commit')).toMatchObject({ appended: true })
      for (let at = 0; at < count; at++) rmSync(join(disk, `filler-${at}`))
      expect(await write(undefined, entryOf('b/new/v', someBytes(50_000)))).toBe('written')
    } finally {
      await folder.close()
    }
    expect(existsSync(join(disk, 'data', 'index.proof'))).toBe(true)
  })
})
