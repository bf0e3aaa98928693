/** Which paths tools may use: roots, symlinks, and paths that change while they are used. */
import { execFileSync } from 'node:child_process'
import { renameSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultRoots, RootError, Roots } from '../../../lib/mcp/roots.ts'

let folder: string
let roots: Roots
const at = (...names: string[]) => join(folder, ...names)

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'bucket-roots-')))
  for (const name of ['root', 'second', 'outside']) await mkdir(at(name))
  await writeFile(at('root', 'file'), 'inside')
  await writeFile(at('outside', 'secret'), 'outside')
  roots = await Roots.open([at('root'), at('second')])
})
afterEach(() => rm(folder, { recursive: true }))

async function read(path: string): Promise<string> {
  const handle = await roots.openFile(path)
  try {
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

const write = (path: string) => roots.withTarget(path, (target) => writeFile(target.path, 'new'))

describe('a file that a tool reads', () => {
  it('may be relative to the first root, absolute, in a second root, and behind a symlink that stays inside', async () => {
    await symlink('file', at('root', 'link'))
    await symlink(at('root'), at('second', 'first'))
    for (const path of ['file', 'link', at('root', 'file'), './x/../file', at('second', 'first', 'file')])
      expect(await read(path)).toBe('inside')
  })

  it.each([['../outside/secret'], ['x/../../outside/secret'], ['/etc/passwd'], [''], ['file\0']])(
    'is refused outside of the roots: %j',
    async (path) => {
      await expect(read(path)).rejects.toThrow(RootError)
    },
  )

  it('is refused behind a symlink that leads outside, as a file or as a folder', async () => {
    await symlink(at('outside', 'secret'), at('root', 'link'))
    await symlink(at('outside'), at('root', 'folder'))
    await expect(read('link')).rejects.toThrow('leads outside')
    await expect(read('folder/secret')).rejects.toThrow('leads outside')
  })

  it('is refused if the name of a root is only a part of its name', async () => {
    await mkdir(at('root-of-others'))
    await writeFile(at('root-of-others', 'file'), 'x')
    await expect(read(at('root-of-others', 'file'))).rejects.toThrow('leads outside')
  })

  it('is refused if it is a folder or a pipe, without waiting for a writer', async () => {
    execFileSync('mkfifo', [at('root', 'pipe')])
    await expect(read('.')).rejects.toThrow('is a folder')
    await expect(read('pipe')).rejects.toThrow('is a device, a pipe or a socket')
  })

  it('is never one from outside when a symlink takes its place after the path was checked', async () => {
    const pause = new Int32Array(new SharedArrayBuffer(4))
    for (let turn = 0; turn < 30; turn++) {
      await writeFile(at('root', 'swapped'), 'inside')
      await symlink(at('outside', 'secret'), at('link'))
      const reading = read('swapped')
      // Another thread finds the real path meanwhile. This one learns of it after the swap.
      Atomics.wait(pause, 0, 0, 5)
      renameSync(at('link'), at('root', 'swapped'))
      await expect(reading).rejects.toThrow('leads outside')
      await rm(at('root', 'swapped'))
    }
  })
})

describe('a file that a tool writes', () => {
  it('arrives in the root, and the result has its real path', async () => {
    await symlink(at('root'), at('second', 'first'))
    expect(await roots.withTarget(at('second', 'first', 'new'), async ({ realPath }) => realPath)).toBe(
      at('root', 'new'),
    )
    await write('new')
    expect(await readFile(at('root', 'new'), 'utf8')).toBe('new')
  })

  it('is refused outside, in a folder that leads outside, at a symlink, and in place of a root', async () => {
    await symlink(at('outside'), at('root', 'folder'))
    await symlink(at('outside', 'new'), at('root', 'link'))
    for (const path of ['../outside/new', 'folder/new', 'link', at('root'), '.'])
      await expect(write(path)).rejects.toThrow(RootError)
    await expect(readFile(at('outside', 'new'))).rejects.toThrow('ENOENT')
  })

  it('stays in the folder that was checked when another process replaces that folder by a symlink', async () => {
    await mkdir(at('root', 'sub'))
    await roots.withTarget('sub/new', async ({ path }) => {
      await rename(at('root', 'sub'), at('root', 'moved'))
      await symlink(at('outside'), at('root', 'sub'))
      await writeFile(path, 'new')
    })
    expect(await readFile(at('root', 'moved', 'new'), 'utf8')).toBe('new')
    await expect(readFile(at('outside', 'new'))).rejects.toThrow('ENOENT')
  })

  it('has its real path in errors', async () => {
    const failing = roots.withTarget('new', async ({ path }) => Promise.reject(new Error(`no ${path}`)))
    await expect(failing).rejects.toThrow(`no ${at('root', 'new')}`)
  })
})

describe('a server without roots', () => {
  it('uses no path, and says what to ask the user for', async () => {
    const none = await Roots.open([])
    await expect(none.openFile(at('root', 'file'))).rejects.toMatchObject({
      next: expect.stringContaining('--root'),
    })
  })
})

describe('the roots', () => {
  it('must be folders that exist', async () => {
    await expect(Roots.open([at('root', 'file')])).rejects.toThrow('is a file')
    await expect(Roots.open([at('none')])).rejects.toThrow('ENOENT')
  })

  it.each([
    ['/home/me/project', ['/home/me/project']],
    ['/srv/data', ['/srv/data']],
    ['/home/me', []],
    ['/home', []],
    ['/', []],
  ])('are by default the current folder, unless it holds the home folder: %s', (current, expected) => {
    expect(defaultRoots(current, '/home/me')).toEqual(expected)
  })
})
