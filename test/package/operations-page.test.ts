/**
 * The recipes of docs/operations.md for a data folder run as printed, in the order of an operator's day. Only paths outside of the test's
 * folder and ports differ. A recipe that this test does not run is listed with its reason, so that none is forgotten.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BUCKET } from '../support/program.ts'

const PAGE = readFileSync('docs/operations.md', 'utf8')
const [, LOCAL = ''] = PAGE.split('\n## The local server\n')
const START_MS = 60_000

/** The code blocks of a section, by its heading: `[language, code]`. */
function blocksOf(heading: string): [language: string, code: string][] {
  const [, section = ''] = PAGE.split(new RegExp(`\\n#+ ${heading}\\n`))
  const [text = ''] = section.split(/\n##+ /)
  return [...text.matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language = '', code = '']) => [language, code])
}
function blockOf(heading: string, text: string): string {
  const found = blocksOf(heading).filter(([, code]) => code.includes(text))
  expect(found, `${heading}: ${text}`).toHaveLength(1)
  return found[0]?.[1] ?? ''
}

/** The recipes of the local server that need more than this machine has. */
const NOT_RUN = {
  'npx bucket serve --public-url https://artifacts.example.com': 'needs the proxy and its certificate',
  'export BUCKET_URL=https://artifacts.example.com/v1': 'needs the proxy and its certificate',
}
const ran: string[] = []

let root: string
let ports: readonly [number, number]
const servers: ChildProcess[] = []

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'bucket-operations-'))
  mkdirSync(join(root, 'bin'))
  const program = `exec ${[process.execPath, ...BUCKET].join(' ')}`
  writeFileSync(join(root, 'bin/bucket'), `#!/bin/sh\n${program} "$@"\n`, { mode: 0o755 })
  writeFileSync(join(root, 'bin/npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
  ports = [await freePort(), await freePort()]
})
afterAll(() => {
  for (const server of servers) server.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

/** The page names a folder and ports that this machine may not have. */
const here = (code: string) =>
  code
    .replaceAll('/backup/bucket', `${root}/backup`)
    .replaceAll('9470', `${ports[0]}`)
    .replaceAll('9471', `${ports[1]}`)
const environment = () => ({ ...process.env, PATH: `${join(root, 'bin')}:${process.env.PATH}` })

/** Runs a recipe in a shell that stops at the first failure. */
async function run(code: string): Promise<{ exit: number; stdout: string; stderr: string }> {
  ran.push(code)
  return await new Promise((done) => {
    execFile('sh', ['-e', '-c', here(code)], { cwd: root, env: environment() }, (error, stdout, stderr) =>
      done({ exit: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}

/** @param code a command that starts a server. */
async function serve(code: string): Promise<ChildProcess> {
  const server = spawn('sh', ['-c', `exec ${here(code)}`], {
    cwd: root,
    env: environment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  servers.push(server)
  const [line] = await once(createInterface({ input: server.stdout }), 'line')
  expect(line).toContain('ready at')
  return server
}
async function stop(server: ChildProcess): Promise<void> {
  server.kill('SIGTERM')
  await once(server, 'exit')
}

const put = async (ref: string, size: number, url: string) => {
  writeFileSync(join(root, 'source'), Buffer.alloc(size, ref))
  const { exit, stderr } = await run(`bucket put ${ref} source --url ${url}`)
  ran.pop()
  expect(exit, stderr).toBe(0)
}
const blobPath = (version: string) => {
  const folder = join(root, '.bucket/blobs/demo/large')
  return join(folder, readdirSync(folder).find((name) => name.startsWith(`${version}@`)) ?? 'none')
}

describe('the recipes of a data folder', { timeout: 4 * START_MS }, () => {
  const url = () => `http://127.0.0.1:${ports[0]}/v1`

  it('back a folder up next to its server, and find unreferenced blobs', async () => {
    const server = await serve('bucket serve --port 9470')
    await put('demo/person/v1', 100, url())
    await put('demo/large/v1', 100_000, url())
    expect(await run(blockOf('Backup of the folder', 'bucket backup'))).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('2 entries, 97.8 KiB: all of them have their bytes'),
    })
    const stranger = join(root, `.bucket/blobs/demo/large/v0@${'0'.repeat(64)}`)
    writeFileSync(stranger, 'lost a race')
    utimesSync(stranger, 0, 0)
    writeFileSync(join(root, 'unreferenced.py'), blockOf('Unreferenced blobs', 'getmtime'))
    const found = await run('python3 unreferenced.py .bucket/blobs 127.0.0.1:9470')
    expect(found).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^\.bucket\/blobs\/demo\/large\/v0@0+\n$/),
    })
    expect(PAGE).toContain(`\`${ran.at(-1)}\``)
    await stop(server)
    expect(await run(blockOf('Unreferenced blobs', 'npx bucket fsck'))).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('1 unreferenced blob'),
    })
    rmSync(stranger)
  })

  it('restore it, check it, and move wrong bytes aside', async () => {
    expect((await run(blockOf('Backup of the folder', 'bucket restore'))).exit).toBe(0)
    const check = blocksOf('Backup of the folder').find(
      ([, code]) => code === 'bucket fsck --data-dir .bucket --verify\n',
    )
    expect((await run(check?.[1] ?? 'false')).exit).toBe(0)
    const damaged = blobPath('v1')
    chmodSync(damaged, 0o600)
    writeFileSync(damaged, Buffer.alloc(100_000, 'x'))
    expect(await run(blockOf('Backup of the folder', '--quarantine'))).toMatchObject({
      exit: 5,
      stdout: expect.stringContaining('moved to quarantine/demo/large/v1@'),
    })
    const server = await serve('bucket serve --port 9470')
    await put('demo/large/v1', 100_000, url())
    await stop(server)
  })

  it('erase a version, and give up damaged records', async () => {
    expect(await run(blockOf('Lawful erasure in a folder', 'bucket erase'))).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^erased demo\/person\/v1@sha256:/),
    })
    const ledger = join(root, '.bucket/ledger/00000001.log')
    const log = readFileSync(ledger)
    log.write('XX', log.indexOf('demo/large/v1'))
    writeFileSync(ledger, log)
    expect(await run(blockOf('A damaged ledger', '--discard-damage'))).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('discarded  '),
    })
  })

  it('rebuild a ledger from the blobs', async () => {
    const heading = 'Rebuilding a local ledger'
    const start = blockOf(heading, 'npx bucket serve')
    ran.push(start)
    const server = await serve(start)
    writeFileSync(join(root, 'rebuild-local.py'), blockOf(heading, 'hashlib'))
    expect(await run(blockOf(heading, 'python3 rebuild-local.py'))).toMatchObject({
      exit: 0,
      stdout: '201 demo/large/v1\n',
    })
    await stop(server)
  })

  it('are all run here, or listed with the reason why not', () => {
    const recipes = [...LOCAL.matchAll(/```sh\n(.*?)```/gs)].map(([, code = '']) => code)
    const missed = recipes.filter(
      (code) => !ran.includes(code) && !Object.keys(NOT_RUN).some((begin) => code.startsWith(begin)),
    )
    expect(missed).toEqual([])
  })
})
