/** Downloads that are stopped, killed and cut off: real processes, a real server, a proxy that breaks connections. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BucketClient } from '../../lib/client/node.ts'
import { MIB } from '../../lib/domain/limits.ts'
import { type FaultProxy, faultProxy } from '../support/fault-proxy.ts'
import { BUCKET } from '../support/program.ts'
import { sha256, someBytes } from '../support/random-bytes.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'
import { bucket as runHere } from '../unit/cli/command-line.ts'

const REF = 'b/large/v1'
/** Large enough for two ranges at once. */
const SIZE = 66 * MIB
const bytes = someBytes(SIZE)
const DIGEST = sha256(bytes)
const PARTIAL = `.${DIGEST.slice(7)}.bucket-partial`
/** Short enough for one response, for tests in which the size does not matter. */
const SMALL_REF = 'b/small/v1'
const small = bytes.subarray(0, 3 * MIB)

let folder: string
let work: string
let server: Served
let proxy: FaultProxy

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-download-'))
  proxy = await faultProxy()
  server = await serveFolder(join(folder, 'data'), '--public-url', proxy.origin)
  proxy.target = server.url
  const bucket = new BucketClient({ url: server.url })
  await bucket.put(REF, bytes)
  await bucket.put(SMALL_REF, small)
}, 60_000)
beforeEach(async () => {
  proxy.reset()
  work = await mkdtemp(join(folder, 'work-'))
})
afterAll(async () => {
  await proxy.close()
  await server.kill()
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(work, name)

function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [...BUCKET, 'get', ...args], {
    env: { PATH: process.env.PATH, BUCKET_URL: proxy.url },
  })
}

async function finish(child: ChildProcessWithoutNullStreams) {
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  const [exit, signal] = await once(child, 'close')
  return { exit, signal, stdout, stderr }
}

/** Runs a command whose process does not matter. */
const get = (...args: string[]) => runHere(['get', ...args], { url: proxy.url })

/** Forwards the server's bytes in small pieces, and reports when this many have passed. */
function afterBytes(count: number): Promise<void> {
  return new Promise((reached) => {
    proxy.alter = (piece, passed) => {
      if (passed > count) {
        proxy.stall()
        reached()
      }
      return piece
    }
  })
}

const fetched = async () => (await readFile(at('model'))).equals(bytes)

describe('a download that is interrupted', { timeout: 60_000 }, () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s keeps what it has, says so, and continues',
    async (signal) => {
      const half = afterBytes(40 * MIB)
      const child = start(REF, '-o', at('model'))
      const ended = finish(child)
      await half
      child.kill(signal)
      const ran = await ended
      expect(ran.exit).toBe(signal === 'SIGINT' ? 130 : 143)
      expect(ran.stderr).toMatch(/MiB of 66\.0 MiB are kept in \S+bucket-partial; the same command continues/)
      expect(await readdir(work)).toEqual([PARTIAL])

      proxy.alter = undefined
      proxy.restore()
      const before = proxy.received
      expect((await get(REF, '-o', at('model'))).exit).toBe(0)
      expect(proxy.received - before).toBeLessThan(50 * MIB)
      expect(await fetched()).toBe(true)
      expect(await readdir(work)).toEqual(['model'])
    },
  )

  it('by kill -9 leaves a partial file that the next run continues', async () => {
    const half = afterBytes(40 * MIB)
    const child = start(REF, '-o', at('model'))
    const ended = finish(child)
    await half
    child.kill('SIGKILL')
    await ended
    expect(await readdir(work)).toEqual([expect.stringMatching(/^\.[0-9a-f]{64}\..*bucket-partial$/)])

    proxy.alter = undefined
    proxy.restore()
    const before = proxy.received
    expect((await get(REF, '-o', at('model'))).exit).toBe(0)
    expect(proxy.received - before).toBeLessThan(50 * MIB)
    expect(await fetched()).toBe(true)
    expect(await readdir(work)).toEqual(['model'])
  })

  it('by kill -9 is continued although its parent has not reaped the process', async () => {
    const half = afterBytes(40 * MIB)
    const command = [process.execPath, ...BUCKET, 'get', REF, '-o', at('model')]
    // The shell becomes `sleep`, which never waits for its child.
    const parent = spawn('sh', ['-c', '"$@" & echo $!; exec sleep 60', 'sh', ...command], {
      env: { ...process.env, BUCKET_URL: proxy.url },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      const [pid] = await once(parent.stdout, 'data')
      await half
      process.kill(Number(pid), 'SIGKILL')
      proxy.alter = undefined
      proxy.restore()
      const before = proxy.received
      expect((await get(REF, '-o', at('model'))).exit).toBe(0)
      expect(proxy.received - before).toBeLessThan(50 * MIB)
      expect(await fetched()).toBe(true)
      expect(await readdir(work)).toEqual(['model'])
    } finally {
      parent.kill('SIGKILL')
    }
  })

  it('by an outage longer than the attempts of a request waits and continues', async () => {
    const bucket = new BucketClient({ url: proxy.url, retry: { baseMs: 20, maxDelayMs: 40, attempts: 3 } })
    let retries = 0
    const outage = new Promise<void>((resolve) => {
      proxy.alter = (piece, passed) => {
        if (passed > 30 * MIB) {
          proxy.alter = undefined
          proxy.fail()
          resolve()
        }
        return piece
      }
    })
    const observed = new BucketClient({
      url: proxy.url,
      retry: { baseMs: 20, maxDelayMs: 40, attempts: 3 },
      onEvent({ kind }) {
        // Many more failures than a request without progress survives.
        if (kind === 'retry' && ++retries === 30) proxy.restore()
      },
    })
    const download = observed.download(REF, at('model'))
    await outage
    await download
    expect(await fetched()).toBe(true)
    expect(bucket.url).toBe(proxy.url)
  })

  it('by an outage longer than the timeout fails with exit 7 and keeps what it has', async () => {
    const ended = get(REF, '-o', at('model'), '--timeout', '1s')
    proxy.alter = (piece, passed) => {
      if (passed > 30 * MIB) proxy.fail()
      return piece
    }
    const ran = await ended
    expect(ran.exit).toBe(7)
    expect(ran.stderr).toMatch(/waiting for the server, attempt 2/)
    expect(ran.stderr).toMatch(/are kept in/)
    expect(await readdir(work)).toEqual([PARTIAL])
  })
})

describe('bytes that arrive wrong', { timeout: 60_000 }, () => {
  it('are fetched once more', async () => {
    let isFlipped = false
    proxy.alter = (piece, passed) => {
      if (isFlipped || passed < 40 * MIB) return piece
      isFlipped = true
      piece[piece.byteLength - 1] = (piece.at(-1) ?? 0) ^ 1
      return piece
    }
    await new BucketClient({ url: proxy.url }).download(REF, at('model'))
    expect(isFlipped).toBe(true)
    expect(await fetched()).toBe(true)
  })

  it('twice are refused with both digests, and leave nothing', async () => {
    proxy.alter = (piece, passed) => {
      if (passed > 20 * MIB) piece[piece.byteLength - 1] = (piece.at(-1) ?? 0) ^ (1 + (passed % 200))
      return piece
    }
    const failure = await new BucketClient({ url: proxy.url, retry: { baseMs: 1 } })
      .download(REF, at('model'))
      .catch((error) => error)
    expect(failure).toMatchObject({ code: 'digest_mismatch' })
    expect(failure.message).toMatch(/fetched twice/)
    expect(await readdir(work)).toEqual([])
  })

  it('in a partial file of an earlier run are detected by the digest, and fetched again', async () => {
    const part = Buffer.alloc(SIZE + 100)
    part.fill(1, SIZE, SIZE + 50)
    await writeFile(at(PARTIAL), part)
    await new BucketClient({ url: proxy.url }).download(REF, at('model'))
    expect(await fetched()).toBe(true)
    expect(await readdir(work)).toEqual(['model'])
  })
})

describe('a partial file', { timeout: 60_000 }, () => {
  it('is used by only one of two concurrent downloads', async () => {
    const half = Buffer.concat([bytes.subarray(0, SIZE / 2), Buffer.alloc(SIZE / 2), Buffer.alloc(100)])
    half.fill(1, SIZE, SIZE + 50)
    await writeFile(at(PARTIAL), half)
    const bucket = new BucketClient({ url: proxy.url })
    await Promise.all([bucket.download(REF, at('model')), bucket.download(REF, at('other'))])
    expect(await fetched()).toBe(true)
    expect((await readFile(at('other'))).equals(bytes)).toBe(true)
    expect((await readdir(work)).sort()).toEqual(['model', 'other'])
  })

  it('of another size is dropped', async () => {
    await writeFile(at(`.${sha256(small).slice(7)}.bucket-partial`), 'something else')
    await new BucketClient({ url: proxy.url }).download(SMALL_REF, at('model'))
    expect((await readFile(at('model'))).equals(small)).toBe(true)
    expect(await readdir(work)).toEqual(['model'])
  })

  it('that was untouched for a week is removed by the next download', async () => {
    const stale = at(`.${'a'.repeat(64)}.bucket-partial`)
    const recent = at(`.${'b'.repeat(64)}.bucket-partial`)
    for (const path of [stale, recent]) await writeFile(path, 'x')
    const old = Date.now() / 1000 - 8 * 24 * 3600
    await utimes(stale, old, old)
    await new BucketClient({ url: proxy.url }).download(SMALL_REF, at('model'))
    expect((await readdir(work)).sort()).toEqual([`.${'b'.repeat(64)}.bucket-partial`, 'model'])
  })
})

describe('a target', { timeout: 60_000 }, () => {
  it('that already has the bytes is not fetched again', async () => {
    await writeFile(at('model'), small)
    const ran = await get(SMALL_REF, '-o', at('model'), '--json')
    expect(JSON.parse(ran.stdout)).toMatchObject({ fetched: false, digest: sha256(small) })
    expect(proxy.received).toBeLessThan(10_000)
  })

  it('that has other bytes is refused with exit 2 before a byte is fetched, and replaced with --force', async () => {
    await writeFile(at('model'), 'mine')
    const refused = await get(SMALL_REF, '-o', at('model'))
    expect(refused).toMatchObject({ exit: 2, stdout: '' })
    expect(refused.stderr).toContain('--force')
    expect(await readFile(at('model'), 'utf8')).toBe('mine')
    expect(proxy.received).toBeLessThan(10_000)
    expect((await get(SMALL_REF, '-o', at('model'), '--force')).exit).toBe(0)
    expect((await readFile(at('model'))).equals(small)).toBe(true)
  })

  it.skipIf(process.getuid?.() === 0)('in a folder that can be written but not listed works', async () => {
    await mkdir(at('blind'))
    await chmod(at('blind'), 0o300)
    await new BucketClient({ url: proxy.url }).download(SMALL_REF, join(at('blind'), 'model'))
    expect((await stat(join(at('blind'), 'model'))).size).toBe(small.byteLength)
    await chmod(at('blind'), 0o700)
  })

  it.skipIf(process.getuid?.() === 0)(
    'in a folder that cannot be written is refused before the fetch',
    async () => {
      await mkdir(at('closed'), { mode: 0o500 })
      const ran = await get(SMALL_REF, '-o', join(at('closed'), 'model'))
      expect(ran.exit).toBe(2)
      expect(ran.stderr).toContain(join(at('closed'), 'model'))
      expect(proxy.connections).toBe(0)
    },
  )
})
