/** Folders that are pushed and pulled: commands in a folder, a server, a proxy that breaks connections. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient, folderManifest, MANIFEST_TYPE } from '../../lib/client/node.ts'
import { MIB } from '../../lib/domain/limits.ts'
import { type FaultProxy, faultProxy } from '../support/fault-proxy.ts'
import { BUCKET } from '../support/program.ts'
import { someBytes } from '../support/random-bytes.ts'
import { type ServedHere, serveHere } from '../support/served-here.ts'
import { bucket as runHere } from '../unit/cli/command-line.ts'

let folder: string
let work: string
let server: ServedHere
const { env } = process
const here = process.cwd()
let proxy: FaultProxy
let bucket: BucketClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-folder-'))
  proxy = await faultProxy()
  server = await serveHere(join(folder, 'data'), '--public-url', proxy.origin)
  proxy.target = server.url
  bucket = new BucketClient({ url: proxy.url })
  // A digest cache of its own.
  process.env = { ...env, XDG_CACHE_HOME: join(folder, 'cache') }
}, 60_000)
beforeEach(async () => {
  proxy.reset()
  work = await mkdtemp(join(folder, 'work-'))
  process.chdir(work)
})
afterAll(async () => {
  process.chdir(here)
  process.env = env
  await proxy.close()
  await server.stop()
  await rm(folder, { recursive: true })
})
const at = (...names: string[]) => join(work, ...names)

const run = (...args: string[]) => runHere(args, { url: proxy.url })
/** Starts a process that can be stopped, or whose stdin matters. */
const start = (...args: string[]) =>
  spawn(process.execPath, [...BUCKET, ...args], { env: { ...process.env, BUCKET_URL: proxy.url } })

/** Compared by a tool that knows nothing of manifests. */
const difference = (one: string, other: string): string => {
  try {
    return execFileSync('diff', ['-r', '--no-dereference', at(one), at(other)]).toString()
  } catch (error) {
    return String((error as { stdout?: Buffer }).stdout)
  }
}

async function makeFolder(large = 0): Promise<void> {
  await mkdir(at('source', 'sub', 'empty'), { recursive: true })
  await mkdir(at('source', 'Größe 模型'), { recursive: true })
  await writeFile(at('source', 'a.txt'), 'a')
  await writeFile(at('source', 'Größe 模型', 'b "quoted"\n.txt'), 'b')
  await writeFile(at('source', 'same'), 'a')
  await writeFile(at('source', 'nothing'), '')
  await writeFile(at('source', 'sub', 'run.sh'), '#!/bin/sh\n')
  await chmod(at('source', 'sub', 'run.sh'), 0o755)
  await symlink('../a.txt', at('source', 'sub', 'link'))
  await symlink('nowhere', at('source', 'dangling'))
  for (let number = 0; number < large; number++)
    await writeFile(at('source', `large-${number}`), someBytes(8 * MIB))
}

describe('a folder', { timeout: 60_000 }, () => {
  it('comes back unchanged: names in any script, empty folders, symlinks, executable files', async () => {
    await makeFolder()
    const pushed = await run('push', 'b/tour/v1', 'source', '--json')
    expect(JSON.parse(pushed.stdout)).toMatchObject({ created: true, files: 5, sent: expect.any(Array) })
    const pulled = await run('pull', JSON.parse(pushed.stdout).ref, 'copy')
    expect(pulled).toMatchObject({ exit: 0, stdout: 'copy\n' })
    expect(difference('source', 'copy')).toBe('')
    expect(await readdir(at('copy', 'sub', 'empty'))).toEqual([])
    expect(execFileSync('find', ['copy', '-perm', '-100', '-type', 'f'], { cwd: work }).toString()).toBe(
      'copy/sub/run.sh\n',
    )
    expect((await readdir(work)).sort()).toEqual(['copy', 'source'])
  })

  it('that was pushed before sends only its changed files', async () => {
    await makeFolder()
    await bucket.push('b/again/v1', at('source'), { cacheFolder: false })
    const same = await bucket.push('b/again/v1', at('source'), { cacheFolder: false })
    expect(same).toMatchObject({ created: false, sent: [] })
    await writeFile(at('source', 'a.txt'), 'changed')
    const next = await bucket.push('b/again/v2', at('source'), { cacheFolder: false })
    expect(next).toMatchObject({ created: true, sent: ['a.txt'] })
    await expect(bucket.push('b/again/v1', at('source'), { cacheFolder: false })).rejects.toMatchObject({
      code: 'version_exists',
    })
  })

  it('of which the patterns leave out everything is refused', async () => {
    await makeFolder(1)
    for (const options of [{ include: ['zzz'] }, { exclude: ['*'] }])
      await expect(
        bucket.push('b/nothing/v1', at('source'), { ...options, cacheFolder: false }),
      ).rejects.toMatchObject({
        code: 'folder_invalid',
        message: expect.stringContaining('leave out everything'),
      })
    await expect(bucket.entry('b/nothing/v1')).rejects.toMatchObject({ code: 'version_not_found' })
  })

  it('that is pushed with --dry-run stores nothing', async () => {
    await makeFolder()
    const tried = await run('push', 'b/tried/v1', 'source', '--dry-run', '--exclude', '*.sh')
    expect(tried.exit).toBe(0)
    expect(tried.stdout).toContain('would send  a.txt')
    expect(tried.stdout).not.toContain('run.sh')
    await expect(bucket.entry('b/tried/v1')).rejects.toMatchObject({ code: 'version_not_found' })
    const versions = []
    for await (const entry of bucket.listVersions({ bucketId: 'b', artifactId: 'tried.files' }))
      versions.push(entry)
    expect(versions).toEqual([])
  })

  it('with content that a manifest cannot describe is refused before anything is sent', async () => {
    await makeFolder()
    await symlink('/etc/passwd', at('source', 'outside'))
    execFileSync('mkfifo', [at('source', 'fifo')])
    const refused = await run('push', 'b/refused/v1', 'source')
    expect(refused.exit).toBe(2)
    expect(refused.stderr).toContain('"outside"')
    expect(refused.stderr).toContain('"fifo"')
    expect(proxy.connections).toBe(0)
    expect(
      (await run('push', 'b/refused/v1', 'source', '--exclude', 'outside', '--exclude', 'fifo')).exit,
    ).toBe(0)
  })

  it('is visible only after all of its files are stored', async () => {
    await makeFolder(4)
    proxy.alter = () => undefined
    const failed = await run('push', 'b/half/v1', 'source', '--timeout', '1s')
    expect(failed.exit).toBe(7)
    proxy.reset()
    await expect(bucket.entry('b/half/v1')).rejects.toMatchObject({ code: 'version_not_found' })
  })
})

describe('a pull', { timeout: 60_000 }, () => {
  it.each(['SIGINT', 'SIGKILL'] as const)(
    'that is ended by %s is continued by the next one',
    async (signal) => {
      await makeFolder(8)
      const ref = `b/interrupted/${signal}`
      await bucket.push(ref, at('source'), { cacheFolder: false })
      proxy.reset()
      const half = new Promise<void>((reached) => {
        proxy.alter = (piece, passed) => {
          if (passed > 40 * MIB) {
            proxy.stall()
            reached()
          }
          return piece
        }
      })
      const child = start('pull', ref, 'copy', '--parallel', '2')
      let stderr = ''
      child.stderr.on('data', (text) => (stderr += text))
      const closed = once(child, 'close')
      await Promise.race([half, closed])
      child.kill(signal)
      expect((await closed)[0]).toBe(signal === 'SIGINT' ? 130 : null)
      if (signal === 'SIGINT') expect(stderr).toMatch(/are kept in \S+; the same command continues/)
      expect((await readdir(work)).filter((name) => !name.startsWith('.'))).toEqual(['source'])

      proxy.reset()
      expect((await run('pull', ref, 'copy')).exit).toBe(0)
      expect(proxy.received).toBeLessThan(40 * MIB)
      expect(difference('source', 'copy')).toBe('')
      expect((await readdir(work)).sort()).toEqual(['copy', 'source'])
    },
  )

  it('keeps a folder with other content unless --force is given', async () => {
    await makeFolder()
    await bucket.push('b/other/v1', at('source'), { cacheFolder: false })
    await mkdir(at('copy'))
    await writeFile(at('copy', 'mine'), 'mine')
    const refused = await run('pull', 'b/other/v1', 'copy')
    expect(refused.exit).toBe(2)
    expect(refused.stderr).toContain('--force')
    expect(await readFile(at('copy', 'mine'), 'utf8')).toBe('mine')
    expect((await run('pull', 'b/other/v1', 'copy', '--force')).exit).toBe(0)
    expect(difference('source', 'copy')).toBe('')
    const again = await run('pull', 'b/other/v1', 'copy')
    expect(again).toMatchObject({ exit: 0 })
    expect(again.stderr).toContain('nothing fetched')
  })

  it.each([
    ['a new folder', 'new', false],
    ['a folder that --force replaces', 'forced', true],
  ])('into %s succeeds for each of four that run at once', async (_, version, force) => {
    await makeFolder(1)
    await bucket.push(`b/twice/${version}`, at('source'), { cacheFolder: false })
    if (force) {
      await mkdir(at('copy'))
      await writeFile(at('copy', 'mine'), 'mine')
    }
    const pulls = [1, 2, 3, 4].map(() => bucket.pull(`b/twice/${version}`, at('copy'), { force }))
    for (const { digest } of await Promise.all(pulls)) expect(digest).toMatch(/^sha256:/)
    expect(difference('source', 'copy')).toBe('')
    expect((await readdir(work)).sort()).toEqual(['copy', 'source'])
  })

  it('through a symlink means the folder to which it leads', async () => {
    await makeFolder(1)
    await bucket.push('b/linked/v1', at('source'), { cacheFolder: false })
    await mkdir(at('disk', 'copy'), { recursive: true })
    await symlink(at('disk', 'copy'), at('copy'))
    expect((await run('pull', 'b/linked/v1', 'copy')).exit).toBe(0)
    expect(difference('source', 'disk/copy')).toBe('')
    await writeFile(at('disk', 'copy', 'mine'), 'mine')
    expect((await run('pull', 'b/linked/v1', 'copy', '--force')).exit).toBe(0)
    expect(difference('source', 'disk/copy')).toBe('')
    expect((await lstat(at('copy'))).isSymbolicLink()).toBe(true)
  })

  it('refuses a folder that another program filled with other content meanwhile', async () => {
    await makeFolder(1)
    await bucket.push('b/meanwhile/v1', at('source'), { cacheFolder: false })
    const filled = bucket.pull('b/meanwhile/v1', at('copy'), {
      onProgress: () => {
        mkdirSync(at('copy'), { recursive: true })
        writeFileSync(at('copy', 'mine'), 'mine')
      },
    })
    await expect(filled).rejects.toMatchObject({ code: 'target_exists' })
    expect(await readFile(at('copy', 'mine'), 'utf8')).toBe('mine')
  })

  it.each(['not a manifest', '17', '{"accuracy":0.93}'])(
    'of an artifact that is not a folder says so: %s',
    async (text) => {
      const ref = `b/file/${text.length}`
      await bucket.put(ref, new TextEncoder().encode(text))
      const refused = await run('pull', ref, 'copy')
      expect(refused.exit).toBe(2)
      expect(refused.stderr).toContain(
        `${ref} is not a folder: its type is application/octet-stream, and a folder`,
      )
    },
  )

  it('refuses a manifest that leads outside, and writes nothing', async () => {
    const evil = '{"format":"bucket-folder/1","entries":[{"path":"../evil","type":"folder"}]}'
    await bucket.put('b/evil/v1', new TextEncoder().encode(evil), { contentType: MANIFEST_TYPE })
    await expect(bucket.pull('b/evil/v1', at('copy'))).rejects.toMatchObject({ code: 'manifest_invalid' })
    expect(await readdir(work)).toEqual([])
  })

  it('fetches files from the refs that a manifest names', async () => {
    const { entry } = await bucket.put('b/shards/rank-0', new TextEncoder().encode('shard'))
    const { digest, size } = entry
    const manifest = folderManifest([{ type: 'file', path: 'x/0', size, digest, ref: 'b/shards/rank-0' }])
    const text = JSON.stringify({ format: 'bucket-folder/1', entries: manifest.entries })
    await bucket.put('b/sharded/v1', new TextEncoder().encode(text))
    await bucket.pull('b/sharded/v1', at('copy'))
    expect(await readFile(at('copy', 'x', '0'), 'utf8')).toBe('shard')
  })
})

describe('a lock file', { timeout: 60_000 }, () => {
  it('records what put and push store, and binds get and pull to it', async () => {
    await makeFolder()
    expect((await run('push', 'b/locked/v1', 'source', '--lock', 'bucket.lock')).exit).toBe(0)
    expect((await run('put', 'b/locked/v2', 'source/a.txt', '--lock', 'bucket.lock')).exit).toBe(0)
    const lines = (await readFile(at('bucket.lock'), 'utf8')).split('\n')
    expect(lines).toEqual([
      '# bucket-lock 1',
      expect.stringMatching(/^b\/locked\/v1@sha256:[0-9a-f]{64} \d+$/),
      expect.stringMatching(/^b\/locked\/v2@sha256:[0-9a-f]{64} 1$/),
      '',
    ])
    expect((await run('pull', 'b/locked/v1', 'copy', '--locked', 'bucket.lock')).exit).toBe(0)
    expect((await run('get', 'b/locked/v2', '-o', 'a', '--locked', 'bucket.lock')).exit).toBe(0)
    expect((await run('get', 'b/locked/v3', '--locked', 'bucket.lock')).exit).toBe(3)
    const other = (await readFile(at('bucket.lock'), 'utf8')).replace(/sha256:[0-9a-f]{8}/, 'sha256:00000000')
    await writeFile(at('bucket.lock'), other)
    expect((await run('pull', 'b/locked/v1', 'other', '--locked', 'bucket.lock')).exit).toBe(5)
  })
})

describe('pinned bytes', { timeout: 60_000 }, () => {
  it('refuse other bytes with exit 5 before a byte is sent', async () => {
    await writeFile(at('whole'), 'whole')
    const digest = (await run('digest', 'whole')).stdout.trim()
    await writeFile(at('cut'), 'who')
    for (const args of [
      [`b/pinned/v1@${digest}`, 'cut'],
      ['b/pinned/v1', 'cut', '--digest', digest],
    ]) {
      const refused = await run('put', ...args)
      expect(refused.exit).toBe(5)
      expect(refused.stderr).toContain('Nothing was sent')
    }
    expect(proxy.connections).toBe(0)
    expect((await run('put', `b/pinned/v1@${digest}`, 'whole')).exit).toBe(0)
  })

  it('refuse an empty stdin unless --allow-empty is given', async () => {
    const empty = start('put', 'b/empty/v1', '-')
    empty.stdin.end()
    expect((await once(empty, 'close'))[0]).toBe(2)
    expect(proxy.connections).toBe(0)
    const meant = start('put', 'b/empty/v1', '-', '--allow-empty')
    meant.stdin.end()
    expect((await once(meant, 'close'))[0]).toBe(0)
  })
})

describe('several artifacts', { timeout: 60_000 }, () => {
  it('are stored and fetched by one command', async () => {
    for (const name of ['one', 'two']) await writeFile(at(name), name)
    const put = await run('put', 'b/several', 'one', 'two', '--json')
    const refs = JSON.parse(put.stdout).stored.map(({ ref }: { ref: string }) => ref)
    await mkdir(at('copies'))
    const got = await run('get', ...refs, '-o', 'copies')
    expect(got.exit).toBe(0)
    expect(await readdir(at('copies'))).toHaveLength(2)
    expect((await run('put', 'b/several/v1', 'one', 'two')).exit).toBe(2)
  })
})
