/** Opening a data folder: one server at a time, no leftovers of an earlier one, and no change to foreign files. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FolderRefused, openFolder } from '../../../lib/local/folder.ts'
import { bundledProgram } from '../../support/bundled-program.ts'
import { entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-folder-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

/** A server in another process that opened the folder and stays. */
async function otherServer() {
  const { path, remove } = await bundledProgram(`
    import { openFolder } from './lib/local/folder.ts'
    await openFolder(${JSON.stringify(dataDir)})
    console.log('open')
    setInterval(() => {}, 1000)`)
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  await remove()
  return child
}

describe('a data folder', () => {
  it('is refused to a second server, which names the folder and the other process, and is free once that is killed', async () => {
    const child = await otherServer()
    const refusal = await openFolder(dataDir).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(FolderRefused)
    expect(refusal).toMatchObject({
      message: `the folder ${dataDir} is in use by another process (pid ${child.pid}): a server, or a command such as fsck`,
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await openFolder(dataDir)).close()
  })

  it('is refused to a second opener in the same process', async () => {
    const folder = await openFolder(dataDir)
    await expect(openFolder(dataDir)).rejects.toThrow(`the folder ${dataDir} is in use`)
    await folder.close()
  })

  it('is created if it is missing, for its owner only', async () => {
    const deep = join(dataDir, 'a', 'b')
    await (await openFolder(deep)).close()
    expect((await stat(deep)).mode & 0o077).toBe(0)
  })

  it('loses the temporary files that a killed server left, and keeps everything else', async () => {
    const first = await openFolder(dataDir)
    const entry = entryOf('b/a/v', someBytes(3))
    await first.ledger.append(entry, 'commit')
    await first.close()
    await writeFile(join(dataDir, 'tmp', '7'), 'half a blob')
    await mkdir(join(dataDir, 'tmp', 'folder'))
    const second = await openFolder(dataDir)
    expect(await readdir(join(dataDir, 'tmp'))).toEqual([])
    expect(await second.ledger.find(entry.ref)).toEqual(entry)
    await second.close()
  })

  it('is refused and unchanged if it has another format', async () => {
    await writeFile(join(dataDir, 'format'), 'bucket-folder 3\n')
    await expect(openFolder(dataDir)).rejects.toThrow(
      `the folder ${dataDir} has the format "bucket-folder 3", which this version of Bucket does not know`,
    )
    expect((await readdir(dataDir)).sort()).toEqual(['format', 'lock'])
  })

  it('is refused and unchanged if it has foreign content', async () => {
    await mkdir(join(dataDir, 'tmp'))
    await writeFile(join(dataDir, 'tmp', 'thesis.txt'), 'years of work')
    await expect(openFolder(dataDir)).rejects.toThrow("isn't a Bucket folder")
    expect(await readFile(join(dataDir, 'tmp', 'thesis.txt'), 'latin1')).toBe('years of work')
  })

  it('resumes a first start that was interrupted', async () => {
    await writeFile(join(dataDir, 'lock'), '')
    await writeFile(join(dataDir, 'format.new'), 'buck')
    await (await openFolder(dataDir)).close()
    expect(await readFile(join(dataDir, 'format'), 'latin1')).toMatch(/^bucket-folder 2\n[0-9a-f-]{36}\n$/)
  })

  it('keeps a secret that only its owner can read, unchanged across restarts', async () => {
    await (await openFolder(dataDir)).close()
    const secret = await readFile(join(dataDir, 'secret'), 'latin1')
    expect(secret).toMatch(/^[0-9a-f]{64}\n$/)
    expect((await stat(join(dataDir, 'secret'))).mode & 0o777).toBe(0o600)
    await (await openFolder(dataDir)).close()
    expect(await readFile(join(dataDir, 'secret'), 'latin1')).toBe(secret)
  })

  it('refuses to sign with a truncated secret', async () => {
    await (await openFolder(dataDir)).close()
    await writeFile(join(dataDir, 'secret'), '')
    await expect(openFolder(dataDir)).rejects.toThrow('secret')
  })

  it('closes cleanly if the proof of its index cannot be written, and opens again with every entry', async () => {
    const folder = await openFolder(dataDir)
    const entry = entryOf('b/a/v', someBytes(10))
    await folder.ledger.append(entry, 'commit')
    // Where the proof is written first; on a full disk the write fails in the same place.
    await mkdir(join(dataDir, 'index.proof.new'))
    await folder.close()
    const again = await openFolder(dataDir)
    expect(await again.ledger.find(entry.ref)).toEqual(entry)
    await again.close()
  })

  it.each([
    ['removed', () => rm(join(dataDir, 'index.mdb'))],
    ['replaced by an older one', () => rename(join(dataDir, 'older'), join(dataDir, 'index.mdb'))],
  ])(
    'whose index is %s under its server closes cleanly, and the next one builds it again',
    async (_, lose) => {
      await (await openFolder(dataDir)).close()
      await cp(join(dataDir, 'index.mdb'), join(dataDir, 'older'))
      await rm(join(dataDir, 'index.proof'))
      const folder = await openFolder(dataDir)
      const entry = entryOf('b/a/v', someBytes(10))
      await folder.ledger.append(entry, 'commit')
      await lose()
      await folder.close()
      expect(await readdir(dataDir)).not.toContain('index.proof')
      const again = await openFolder(dataDir)
      expect(await again.ledger.find(entry.ref)).toEqual(entry)
      await again.close()
    },
  )

  it('is refused if the folder of its blobs is empty although it held one', async () => {
    const folder = await openFolder(dataDir)
    const bytes = someBytes(20_000)
    const entry = entryOf('b/a/v', bytes)
    const options = { size: bytes.byteLength, description: entry, signal: undefined }
    await folder.blobs.write(entry, inChunks(bytes, 65_536), options)
    await folder.ledger.append(entry, 'commit')
    await folder.close()
    await rm(join(dataDir, 'blobs'), { recursive: true })
    await mkdir(join(dataDir, 'blobs'))
    const refusal = await openFolder(dataDir).then(
      (opened) => opened.close(),
      (error: unknown) => error,
    )
    expect(refusal).toMatchObject({
      name: 'FolderDamaged',
      message: expect.stringContaining('blobs is empty'),
    })
  })

  it('that is replaced under its server accepts no store, and its health says so', async () => {
    const folder = await openFolder(dataDir)
    await rename(dataDir, `${dataDir}-moved`)
    try {
      await cp(`${dataDir}-moved`, dataDir, { recursive: true })
      const refusal = {
        ...{ code: 'unavailable', retryable: false },
        message: expect.stringContaining("isn't the folder"),
      }
      await expect(folder.ledger.append(entryOf('b/a/v', someBytes(10)), 'commit')).rejects.toMatchObject(
        refusal,
      )
      await expect(folder.ledger.check()).rejects.toMatchObject(refusal)
    } finally {
      await expect(folder.close()).rejects.toThrow("isn't the folder")
      await rm(`${dataDir}-moved`, { recursive: true })
    }
  })

  it('whose lock was replaced under its server accepts no store, because another server can lock the new one', async () => {
    const folder = await openFolder(dataDir)
    await rm(join(dataDir, 'lock'))
    await writeFile(join(dataDir, 'lock'), '')
    const append = folder.ledger.append(entryOf('b/a/v', someBytes(10)), 'commit')
    await expect(append).rejects.toMatchObject({ code: 'unavailable', retryable: false })
    await expect(folder.close()).rejects.toThrow('lock was removed or replaced')
  })
})
