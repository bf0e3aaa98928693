/** The command line as people run it: real processes, a real server, a real folder. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BUCKET } from '../support/program.ts'
import { sha256, someBytes } from '../support/random-bytes.ts'
import { bucket as runHere } from '../unit/cli/command-line.ts'

let folder: string
let work: string
let temporaries: string
let server: ChildProcessWithoutNullStreams
let url: string

/** @param stdin a descriptor to be its stdin, instead of a pipe. */
function start(
  args: string[],
  environment: Record<string, string> = {},
  stdin?: number,
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [...BUCKET, ...args], {
    env: { PATH: process.env.PATH, BUCKET_URL: url, TMPDIR: temporaries, ...environment },
    stdio: [stdin ?? 'pipe', 'pipe', 'pipe'],
    // With a descriptor there is no pipe, and the caller writes nothing to it.
  }) as ChildProcessWithoutNullStreams
  child.stdin?.on('error', () => {})
  return child
}

async function finish(child: ChildProcessWithoutNullStreams) {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => err.push(chunk))
  const [exit, signal] = await once(child, 'close')
  const bytes = Buffer.concat(out)
  return { exit, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() }
}

function bucket(args: string[], stdin?: Uint8Array) {
  const child = start(args)
  child.stdin.end(stdin)
  return finish(child)
}

/** Runs a command whose process does not matter. */
const here = (args: string[], stdin?: Uint8Array) => runHere(args, { url, stdin })

async function serve(dataDir: string) {
  const child = start(['serve', '--port', '0', '--data-dir', dataDir])
  child.stderr.resume()
  const [line] = await once(child.stdout, 'data')
  return { child, url: /http:\S+/.exec(String(line))?.[0] ?? '' }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-e2e-'))
  temporaries = join(folder, 'temporaries')
  await mkdir(temporaries)
  const served = await serve(join(folder, 'data'))
  server = served.child
  url = served.url
}, 30_000)
beforeEach(async () => {
  work = await mkdtemp(join(folder, 'work-'))
})
afterAll(async () => {
  server.kill()
  await once(server, 'close')
  await rm(folder, { recursive: true })
})
const at = (name: string) => join(work, name)

describe('the command line against a real server', { timeout: 60_000 }, () => {
  it('stores a file, reports a repeat, and shows, lists and fetches it', async () => {
    const bytes = someBytes(5_000_000)
    await writeFile(at('model'), bytes)
    const pinned = `b/tour/v1@${sha256(bytes)}`
    expect(await bucket(['put', 'b/tour/v1', at('model')])).toMatchObject({ exit: 0, stdout: `${pinned}\n` })
    expect((await bucket(['put', 'b/tour/v1', at('model')])).stderr).toContain('already stored, identical')
    expect((await bucket(['show', 'b/tour/v1'])).stdout).toContain(sha256(bytes))
    expect((await bucket(['list', 'b/tour'])).stdout).toContain('v1')
    expect((await bucket(['get', pinned, '-o', at('copy')])).exit).toBe(0)
    expect((await readFile(at('copy'))).equals(bytes)).toBe(true)
    await writeFile(at('model'), 'other')
    const refused = await bucket(['put', 'b/tour/v1', at('model')])
    expect(refused.exit).toBe(4)
    expect(refused.stderr).toContain('Choose a new version')
  })

  it('reads from and writes to pipes', async () => {
    const bytes = someBytes(3_000_000)
    const put = await bucket(['put', 'b/piped', '-', '--json'], bytes)
    const { version } = JSON.parse(put.stdout).entry
    expect((await bucket(['get', `b/piped/${version}`, '-o', '-'])).bytes.equals(bytes)).toBe(true)
    expect((await bucket(['digest', '-'], bytes)).stdout).toBe(`${sha256(bytes)}\n`)
  })

  it('refuses a folder as stdin, and reads a file to its end no matter what size it reports', async () => {
    for (const args of [
      ['put', 'b/folder/v', '-'],
      ['digest', '-'],
    ]) {
      const given = await open(work)
      const ran = await finish(start(args, {}, given.fd))
      await given.close()
      expect(ran).toMatchObject({ exit: 2, stdout: '' })
      expect(ran.stderr).toContain('folder')
    }
    expect((await here(['show', 'b/folder/v'])).exit).toBe(3)
    if (process.platform !== 'linux') return
    // It reports a size of 0 bytes.
    const put = await bucket(['put', 'b/generated/v', '/proc/version', '--json'])
    expect(JSON.parse(put.stdout).entry.digest).toBe(sha256(await readFile('/proc/version')))
  })

  it('uses the download resource if it sends a secret', async () => {
    const bytes = someBytes(2_000_000)
    await here(['put', 'b/secret/v', '-'], bytes)
    const child = start(['get', 'b/secret/v', '-o', '-', '--auth', 'api-key'], { BUCKET_API_KEY: 'k' })
    expect((await finish(child)).bytes.equals(bytes)).toBe(true)
  })

  it('exits 5 and leaves no file if a byte on disk has changed', async () => {
    const bytes = someBytes(5_000_000)
    await here(['put', 'b/flipped/v', '-'], bytes)
    const data = join(folder, 'data', 'blobs')
    const names = await readdir(data, { recursive: true })
    const hex = sha256(bytes).slice(7)
    const name = names.find((path) => path.includes(hex) && !path.endsWith('/'))
    const path = join(data, name ?? '')
    expect((await stat(path)).size).toBe(5_000_000)
    const file = await open(path, 'r+').catch(async () => {
      const { chmod } = await import('node:fs/promises')
      await chmod(path, 0o600)
      return await open(path, 'r+')
    })
    await file.write(Buffer.from([(bytes[4_000_000] ?? 0) ^ 1]), 0, 1, 4_000_000)
    await file.close()
    const got = await bucket(['get', 'b/flipped/v', '-o', at('copy')])
    expect(got.exit).toBe(5)
    expect(await readdir(work)).toEqual([])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('keeps only its partial file on %s, and exits %i', async (signal, exit) => {
    const bytes = someBytes(3_000_000)
    // This server stalls in the middle of a response, so that the signal arrives at a known moment.
    const stalling = createServer((_, response) => {
      response.writeHead(200, {
        'content-length': bytes.byteLength,
        'x-artifact-digest': sha256(bytes),
        'x-artifact-size': bytes.byteLength,
      })
      response.write(bytes.subarray(0, 2_000_000))
    }).listen(0, '127.0.0.1')
    await once(stalling, 'listening')
    const { port } = stalling.address() as AddressInfo
    await mkdir(at('out'))
    const child = start(['get', 'b/a/v', '-o', at('out/copy'), '--url', `http://127.0.0.1:${port}/v1`])
    const finished = finish(child)
    await expect
      .poll(async () => {
        const [name] = await readdir(at('out'))
        // A mark for each MiB that was written follows the bytes.
        return name === undefined ? 0 : (await readFile(at(`out/${name}`)))[bytes.byteLength]
      })
      .toBe(1)
    child.kill(signal)
    expect(await finished).toMatchObject({ exit, stdout: '' })
    expect(await readdir(at('out'))).toEqual([`.${sha256(bytes).slice(7)}.bucket-partial`])
    stalling.closeAllConnections()
    stalling.close()
  })

  it.each([
    ['list', 'b/closed'],
    ['list', 'b/closed', '--json'],
    ['show', 'b/closed/v'],
    ['get', 'b/closed/v', '-o', '-'],
  ])('exits 141 when stdout is closed: %s %s %s', async (...args) => {
    await here(['put', 'b/closed/v', '-'], someBytes(2_000_000))
    const child = start(args)
    child.stdout.destroy()
    const { exit, stderr } = await finish(child)
    expect([exit, stderr.includes('EPIPE')]).toEqual([141, false])
  })

  it
    .runIf(process.platform === 'linux')
    .each([
      ['--help'],
      ['--version'],
      ['put', '--help'],
      ['put', 'b/full/v', 'file'],
      ['list', 'b/full', '--json'],
      ['get', 'b/full/v', '-o', '-'],
    ])('says that stdout cannot be written, and exits with 1: %s %s %s', async (...args) => {
    await writeFile(at('file'), 'bytes')
    await here(['put', 'b/full/v', '-'], Buffer.from('bytes'))
    const full = await open('/dev/full', 'w')
    const child = spawn(process.execPath, [...BUCKET, ...args], {
      env: { PATH: process.env.PATH, BUCKET_URL: url },
      cwd: work,
      stdio: ['ignore', full.fd, 'pipe'],
    })
    let stderr = ''
    child.stderr?.on('data', (text) => (stderr += text))
    const [exit] = await once(child, 'close')
    await full.close()
    expect([exit, stderr]).toEqual([1, expect.stringContaining('error: Stdout cannot be written\n')])
    expect(stderr).toContain('no space left on device')
  })

  const canHangUp = spawnSync('python3', ['-c', 'import pty']).status === 0
  it.runIf(canHangUp).each([
    [0, ['serve', '--port', '0', '--data-dir', 'closed'], 'Bucket is ready'],
    [129, ['show', 'b/closed/v'], 'waiting for the server'],
  ] as const)('exits with %i when its terminal is closed: %j', async (exit, args, ready) => {
    const busy = createServer((_, response) => response.writeHead(503, { 'Retry-After': '30' }).end('{}'))
    busy.listen(0, '127.0.0.1')
    await once(busy, 'listening')
    const { port } = busy.address() as AddressInfo
    const child = spawn('python3', ['-c', HANG_UP, ready, process.execPath, ...BUCKET, ...args], {
      env: { PATH: process.env.PATH, BUCKET_URL: `http://127.0.0.1:${port}/v1` },
      cwd: work,
    })
    expect((await finish(child)).stdout).toBe(`${exit}\n`)
    busy.closeAllConnections()
    busy.close()
  })

  it('keeps serving after its stderr is closed', async () => {
    const second = await serve(join(work, 'data'))
    second.child.stderr.destroy()
    for (let requests = 0; requests < 5; requests += 1)
      expect((await fetch(`${second.url}/health`)).status).toBe(200)
    second.child.kill('SIGTERM')
    expect((await once(second.child, 'close'))[0]).toBe(0)
  })

  it('removes the spooled stdin on Ctrl-C', async () => {
    const child = start(['put', 'b/a/spooled', '-'])
    const finished = finish(child)
    child.stdin.write(someBytes(1_000_000))
    // The temporary file has no name while it is written, so the test looks at the open files of the process.
    await expect
      .poll(async () => (await openFiles(child.pid)).some((path) => path.includes('spooled')))
      .toBe(true)
    child.kill('SIGINT')
    expect((await finished).exit).toBe(130)
    expect((await readdir(temporaries)).filter((name) => name.startsWith('bucket-'))).toEqual([])
    expect((await here(['show', 'b/a/spooled'])).exit).toBe(3)
  })

  it('refuses a second server on the same folder or address', async () => {
    const second = await bucket(['serve', '--port', '0', '--data-dir', join(folder, 'data')])
    expect(second.exit).toBe(1)
    expect(second.stderr).toContain('in use')
    const { port } = new URL(url)
    const taken = await bucket(['serve', '--port', port, '--data-dir', at('other')])
    expect(taken.exit).toBe(1)
    expect(taken.stderr).toContain('--port 0')
  })

  it('stops a server on SIGTERM and SIGINT with exit 0, and its folder opens again', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const { child } = await serve(at('again'))
      const closed = once(child, 'close')
      child.kill(signal)
      expect(await closed).toEqual([0, null])
    }
  })
})

/** Runs a command on a terminal, and closes it when the command has printed a text. Prints the exit code; negative: a signal. */
const HANG_UP = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
shown = b''
while sys.argv[1].encode() not in shown or shown == b'': shown += os.read(terminal, 4096)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

/** The open files of a process; empty where the system does not show them. */
async function openFiles(pid: number | undefined): Promise<string[]> {
  const { readlink } = await import('node:fs/promises')
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  return await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
}
