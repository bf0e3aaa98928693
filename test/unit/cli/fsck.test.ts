/** `bucket fsck`: what is told, to people and to programs, and the exit code that scripts rely on. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { described } from '../../support/described.ts'
import { entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'
import { bucket } from './command-line.ts'

let dataDir: string
let folder: Folder

const bytes = someBytes(20_480)
const entry = entryOf('b/a/v1', bytes)

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-fsck-'))
  folder = await openFolder(dataDir)
  await write(entry, bytes)
  await folder.ledger.append(entry, 'commit')
})
afterEach(() => rm(dataDir, { recursive: true }))

const write = (blob: typeof entry, content: Uint8Array) =>
  folder.blobs.write(blob, inChunks(content, 1_000), {
    size: content.byteLength,
    description: described(),
    signal: undefined,
  })
const fsck = (...options: string[]) => bucket(['fsck', '--data-dir', dataDir, ...options])

describe('bucket fsck', () => {
  it('exits with 0 and says so if every entry has its bytes', async () => {
    await folder.close()
    expect(await fsck('--verify')).toMatchObject({
      exit: 0,
      stdout: '1 entry, 20.0 KiB: all of them have their bytes\n0 unreferenced blobs, 0 B\n',
      stderr: '',
    })
    expect((await fsck()).stdout).toContain('--verify reads the bytes')
  })

  it('exits with 0 if blobs are unreferenced, and names them', async () => {
    const lost = entryOf('b/a/v1', someBytes(20_480, 2))
    await write(lost, someBytes(20_480, 2))
    await folder.close()
    const ran = await fsck()
    expect([ran.exit, ran.stdout]).toEqual([
      0,
      expect.stringContaining(`unreferenced  blobs/b/a/v1@${lost.digest.slice(7)}  20.0 KiB\n`),
    ])
  })

  it('exits with 5 if an entry has lost its bytes, and names it', async () => {
    await folder.close()
    await rm(join(dataDir, 'blobs', 'b'), { recursive: true })
    const ran = await fsck()
    expect(ran.exit).toBe(5)
    expect(ran.stdout).toContain(`missing  b/a/v1@${entry.digest}  blobs/b/a/v1@`)
    expect(ran.stdout).toContain('1 damaged')
    expect(ran.stderr).toBe('')
  })

  it('counts damaged entries only, and tells a lost folder of the blobs by itself', async () => {
    const small = entryOf('b/a/small', someBytes(10))
    await write(small, someBytes(10))
    await folder.ledger.append(small, 'commit')
    await folder.close()
    await rm(join(dataDir, 'blobs'), { recursive: true })
    const ran = await fsck()
    expect([ran.exit, ran.stdout]).toEqual([
      5,
      expect.stringMatching(/^ledger {2}the folder .*blobs is missing/),
    ])
    expect(ran.stdout).toMatch(/^2 entries, .*: 1 damaged$/m)
  })

  it('prints one document with --json, damaged or not', async () => {
    await folder.close()
    const fine = await fsck('--json')
    expect(JSON.parse(fine.stdout)).toEqual({
      entries: 1,
      size: 20_480,
      verified: false,
      damaged: { count: 0, ledger: [], entries: [] },
      unreferenced: { count: 0, size: 0, blobs: [] },
    })
    await rm(join(dataDir, 'blobs', 'b'), { recursive: true })
    const ran = await fsck('--json')
    expect(ran.exit).toBe(5)
    expect(JSON.parse(ran.stdout)).toMatchObject({
      damaged: {
        count: 1,
        entries: [{ fault: 'missing', entry: { bucket_id: 'b', version: 'v1', digest: entry.digest } }],
      },
    })
  })

  it('says in three parts why it cannot check a folder', async () => {
    const ran = await fsck()
    expect(ran.exit).not.toBe(0)
    expect(ran.stderr).toMatch(/^error: The data folder cannot be used\n {2}why: {2}.*in use.*\n {2}next: /)
    await folder.close()
    const other = await bucket(['fsck', '--data-dir', join(dataDir, 'nothing')])
    expect(other.exit).toBe(2)
  })
})
