/** Starting and stopping a server: what it leaves behind, what it says, and how long it takes. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BUCKET } from '../support/program.ts'
import { serveFolder } from '../support/served-folder.ts'

let folder: string
let dataDir: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-start-'))
  dataDir = join(folder, 'data')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

describe('a server', { timeout: 60_000 }, () => {
  it('started with nohup survives SIGHUP, and ends on SIGTERM', async () => {
    const [out, err] = ['out', 'err'].map((name) => openSync(join(folder, name), 'w'))
    const child = spawn(
      'nohup',
      [process.execPath, ...BUCKET, 'serve', '--port', '0', '--data-dir', dataDir],
      { stdio: ['ignore', out, err] },
    )
    const ended = once(child, 'exit')
    const output = () => readFileSync(join(folder, 'out'), 'utf8')
    await expect.poll(output, { timeout: 30_000 }).toContain('ready at')
    child.kill('SIGHUP')
    const url = /http:\S+/.exec(output())?.[0]
    expect((await fetch(`${url}/health`)).status).toBe(200)
    child.kill('SIGTERM')
    expect((await ended)[0]).toBe(0)
  })

  it.runIf(process.platform === 'linux')(
    'that may open few files takes fewer connections, says so, and still has files for stores',
    async () => {
      const command = `ulimit -n 256 && exec "${process.execPath}" ${BUCKET.join(' ')} serve --port 0 --data-dir "${dataDir}"`
      const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] })
      let log = ''
      child.stderr.on('data', (chunk) => {
        log += chunk
      })
      const [ready] = await once(child.stdout, 'data')
      const url = new URL(/http:\S+/.exec(String(ready))?.[0] ?? '')
      await expect.poll(() => log).toContain('"operation":"open_files"')
      expect(log).toContain('may open 256 files, so the server accepts 64 connections instead of 1024')
      const idle = Array.from({ length: 300 }, () => connect(Number(url.port), url.hostname))
      for (const socket of idle) socket.on('error', () => {})
      // The server has closed what is beyond its limits by then.
      await expect.poll(() => idle.filter(({ closed }) => closed).length).toBeGreaterThan(150)
      for (const socket of idle.slice(0, 100)) socket.destroy()
      const bytes = Buffer.alloc(100_000)
      const stored = () =>
        fetch(`${url}/buckets/b/artifacts/a/versions/v`, {
          method: 'PUT',
          headers: { 'X-Artifact-Digest': `sha256:${createHash('sha256').update(bytes).digest('hex')}` },
          body: bytes,
        }).then(({ status }) => status)
      await expect.poll(stored).toBe(201)
      expect(log).not.toContain('EMFILE')
      for (const socket of idle) socket.destroy()
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      expect((await ended)[0]).toBe(0)
    },
  )

  it('stops within its drain limit while a slow sender continues, and stores nothing of it', async () => {
    const server = await serveFolder(dataDir, '--drain-limit', '500ms')
    const outgoing = request(`${server.url}/buckets/b/artifacts/a/versions/v`, {
      method: 'PUT',
      headers: { 'X-Artifact-Digest': EMPTY, 'Content-Length': 1_000_000 },
    }).on('error', () => {})
    outgoing.write('x')
    await expect.poll(() => outgoing.socket?.bytesWritten ?? 0).toBeGreaterThan(0)
    // Answered after the request that came before it.
    await fetch(`${server.url}/health`)
    expect(await server.stop()).toBe(0)
    outgoing.destroy()
    // The operator finds every request that the stop cut off.
    expect(server.log()).toMatch(/"operation":"store",.*"version":"v".*"aborted":true/)
    const again = await serveFolder(dataDir)
    expect((await fetch(`${again.url}/buckets/b/artifacts/a/versions/v/entry`)).status).toBe(404)
    await again.stop()
  })

  it('writes the log line of every request before it ends', async () => {
    const server = await serveFolder(dataDir)
    const count = 200
    await Promise.all(
      Array.from({ length: count }, () => fetch(`${server.url}/health`).then((r) => r.text())),
    )
    expect(await server.stop()).toBe(0)
    expect(server.log().split('"operation":"health"')).toHaveLength(count + 1)
  })

  it('whose port is in use leaves no folder behind', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const args = [...BUCKET, 'serve', '--port', String(port), '--data-dir', dataDir]
    const ran = spawnSync(process.execPath, args, { encoding: 'utf8' })
    other.close()
    expect([ran.status, ran.stderr]).toEqual([1, expect.stringContaining(String(port))])
    expect(existsSync(dataDir)).toBe(false)
  })

  it('on a disk that is full says so, leaves nothing behind, and starts once space is free', async (context) => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
    context.skip(mounted.status !== 0, 'a file system cannot be mounted here')
    const [data, ballast] = [join(disk, 'data'), join(disk, 'ballast')]
    const start = () =>
      spawnSync(process.execPath, [...BUCKET, 'serve', '--port', '0', '--data-dir', data], {
        encoding: 'utf8',
      })
    try {
      for (const free of [4_096, 16_384, 65_536]) {
        writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024 - free - 4096))
        expect(start()).toMatchObject({
          status: 1,
          stderr: expect.stringMatching(/why: {2}the disk of .* is full/),
        })
        expect(readdirSync(data)).toEqual([])
      }
      rmSync(ballast)
      execFileSync('mount', ['-o', 'remount,nr_inodes=20', disk])
      expect(start()).toMatchObject({ status: 1, stderr: expect.stringContaining('inodes free') })
      execFileSync('mount', ['-o', 'remount,nr_inodes=1000', disk])
      await (await serveFolder(data)).stop()
    } finally {
      execFileSync('umount', [disk])
    }
  })

  it('accepts a fresh file system, and makes everything in it private to its user', async () => {
    mkdirSync(join(dataDir, 'lost+found'), { recursive: true })
    chmodSync(dataDir, 0o755)
    const server = await serveFolder(dataDir)
    const bytes = Buffer.alloc(20_000)
    const digest = `sha256:${spawnSync('sha256sum', { input: bytes, encoding: 'utf8' }).stdout.slice(0, 64)}`
    const stored = await fetch(`${server.url}/buckets/b/artifacts/a/versions/v`, {
      method: 'PUT',
      body: bytes,
      headers: { 'X-Artifact-Digest': digest },
    })
    expect(stored.status).toBe(201)
    await server.stop()
    const names = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name !== 'lost+found',
    )
    expect(names.length).toBeGreaterThan(10)
    for (const name of names) expect(statSync(join(dataDir, name)).mode & 0o077, name).toBe(0)
  })

  it('logs its version, the content of the folder and the free space first', async () => {
    const lines = async () => {
      const child = spawn(process.execPath, [...BUCKET, 'serve', '--port', '0', '--data-dir', dataDir], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let words = ''
      child.stderr.on('data', (chunk) => {
        words += chunk
      })
      await once(child.stdout, 'data')
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      return words
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
    }
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    const opened = {
      operation: 'open_folder',
      folder: dataDir,
      entries: 0,
      free_bytes: expect.any(Number),
      version,
    }
    expect(await lines()).toMatchObject([{ ...opened, message: 'a new folder' }])
    expect(await lines()).toMatchObject([{ ...opened, message: '0 entries' }])
  })
})
