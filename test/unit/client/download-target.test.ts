/**
 * Targets of a download that exist already. A FIFO stands for every kind that isn't a regular file, so that no test risks a
 * device.
 */
import { execFileSync } from 'node:child_process'
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../../lib/client/node.ts'
import { type ClientFront, IMPATIENT, sendProblem, startFront } from '../../support/client-front.ts'

const REF = 'b/a/v'
let front: ClientFront
let bucket: BucketClient
let folder: string
beforeEach(async () => {
  front = await startFront()
  front.put(REF, Buffer.from('new'))
  bucket = new BucketClient({ url: front.url, ...IMPATIENT })
  folder = await mkdtemp(join(tmpdir(), 'download-target-'))
})
afterEach(async () => {
  await front.close()
  await rm(folder, { recursive: true })
})
const at = (...names: string[]) => join(folder, ...names)
const download = (path: string) => bucket.download(REF, path, { force: true })

describe('a target that is not a regular file', () => {
  it.each<[string, () => Promise<string>, string]>([
    ['a folder', async () => folder, 'EISDIR'],
    ['a FIFO', async () => fifo(at('fifo')), 'EINVAL'],
    ['a link to a FIFO', async () => await link(fifo(at('fifo')), at('link')), 'EINVAL'],
    ['without a name', async () => '', 'ENOENT'],
  ])('and is %s is refused before anything is asked for, and stays', async (_, make, code) => {
    const path = await make()
    await expect(download(path)).rejects.toMatchObject({ name: 'TargetError', code })
    expect(front.received).toEqual([])
    for (const name of await readdir(folder)) expect((await stat(at(name))).isFIFO()).toBe(true)
  })

  function fifo(path: string): string {
    execFileSync('mkfifo', [path])
    return path
  }
})

async function link(target: string, path: string): Promise<string> {
  await symlink(target, path)
  return path
}

describe('a target that is a link', () => {
  it.each(['absolute', 'relative'])('stays a link, and its target is replaced: %s', async (how) => {
    await mkdir(at('there'))
    await writeFile(at('there', 'model'), 'old')
    const target = how === 'absolute' ? at('there', 'model') : join('there', 'model')
    await link(target, at('link'))
    await link('link', at('second'))
    await download(at('second'))
    expect(await readlink(at('link'))).toBe(target)
    expect((await lstat(at('second'))).isSymbolicLink()).toBe(true)
    expect(await readFile(at('there', 'model'), 'utf8')).toBe('new')
    expect((await readdir(folder)).sort()).toEqual(['link', 'second', 'there'])
    expect(await readdir(at('there'))).toEqual(['model'])
  })

  it('without a target creates the file that it names', async () => {
    await mkdir(at('there'))
    await link(join('there', 'model'), at('link'))
    await download(at('link'))
    expect(await readFile(at('there', 'model'), 'utf8')).toBe('new')
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true)
  })

  it('to itself is an error of the system', async () => {
    await link('circle', at('circle'))
    await expect(download(at('circle'))).rejects.toMatchObject({ code: 'ELOOP' })
  })
})

describe('a target that is a file', () => {
  it('keeps its permissions', async () => {
    for (const mode of [0o600, 0o640, 0o444]) {
      const path = at(mode.toString(8))
      await writeFile(path, 'old')
      await chmod(path, mode)
      await download(path)
      expect(await readFile(path, 'utf8')).toBe('new')
      expect((await stat(path)).mode & 0o7777).toBe(mode)
    }
  })

  it('is unchanged if the download fails', async () => {
    await writeFile(at('model'), 'old')
    front.misbehave = (_, response) => sendProblem(response, 'forbidden')
    await expect(download(at('model'))).rejects.toMatchObject({ code: 'forbidden' })
    expect(await readFile(at('model'), 'utf8')).toBe('old')
  })
})

describe('an error of the system', () => {
  it('names the target, and no temporary file', async () => {
    const failure = await download(at('absent', 'model')).catch((error) => error)
    expect(failure).toMatchObject({ code: 'ENOENT', path: at('absent', 'model') })
    expect(failure.message).toContain(`'${at('absent', 'model')}'`)
    expect(failure.message).not.toContain('bucket-part')
  })

  it('for a name that is too long comes before any request', async () => {
    await expect(download(at('n'.repeat(256)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
    expect(front.received).toEqual([])
  })
})
