/**
 * The README's code blocks run in order, as printed, against the server that the first one starts, in a folder that looks like a
 * fresh checkout. The fence gives the kind of a block: `sh serve`, `sh run`, `js run FILE`, `python run FILE`; a block `… prints`
 * holds the stdout of the block before it, where `…` matches anything. Only the port differs, because 9470 may be in use.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const PRINTED_ORIGIN = '127.0.0.1:9470'
// Limits for hangs: on a busy machine npx and node take many seconds to start.
const START_MS = 120_000
const BLOCK_MS = 180_000
/**
 * The programs that a block needs. Where one is missing, the block is a counted skip. All blocks need curl, because each continues
 * from the files and versions of earlier ones.
 */
const TOOLS: Readonly<Record<string, readonly string[]>> = {
  sh: ['curl'],
  js: ['curl'],
  python: ['curl', 'python3'],
}

interface Block {
  readonly language: string
  readonly role: string
  readonly file: string | undefined
  readonly text: string
  readonly line: number
}

const README = await readFile('README.md', 'utf8')

const blocks: Block[] = [...README.matchAll(/^```(\w+) (serve|run|prints)(?: (\S+))?\n(.*?)^```$/gms)].map(
  (found) => {
    const [, language = '', role = '', file, text = ''] = found
    return { language, role, file, text, line: README.slice(0, found.index).split('\n').length }
  },
)
const runs = blocks.filter(({ role }) => role === 'run')
/** The expected stdout of a block, from the `prints` block after it. */
const printed = new Map(
  blocks.flatMap((block, at) => (block.role === 'prints' ? [[blocks[at - 1], block.text]] : [])),
)

let folder: string
let server: ChildProcess
let origin: string

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('a port has an address')
  return address.port
}

/**
 * A checkout in a folder of its own, so that blocks write their files there. It links only tracked files, the installed packages and
 * the build: a local file that has the name of a block's file is not overwritten through a link.
 */
async function freshCheckout(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'bucket-readme-'))
  const tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' }).split('\0').filter(Boolean)
  const names = new Set([...tracked.map((path) => path.split('/', 1).join('')), 'node_modules', 'dist'])
  for (const name of names) await symlink(resolve(name), join(copy, name))
  return copy
}

/** The variables of a user's shell, and no others. */
const environment = () => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  BUCKET_URL: `http://${origin}/v1`,
})

function start(command: string, args: readonly string[]) {
  // npx starts children: a process group of its own lets `stop` end all of them.
  return spawn(command, args, {
    cwd: folder,
    env: environment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function stop(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
}

async function runBlock({
  language,
  file,
  text,
}: Block): Promise<{ exit: unknown; stdout: string; stderr: string }> {
  const source = text.replaceAll(PRINTED_ORIGIN, origin)
  if (file !== undefined) await writeFile(join(folder, file), source)
  const child =
    language === 'js'
      ? start('node', [file ?? ''])
      : language === 'python'
        ? start('python3', [file ?? ''])
        : start('bash', ['-euo', 'pipefail', '-c', source])
  const timer = setTimeout(() => stop(child), BLOCK_MS)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
  })
  const [exit] = await once(child, 'close')
  clearTimeout(timer)
  return { exit, stdout, stderr }
}

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .trimEnd()
      .split('…')
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*')}$`,
    's',
  )

beforeAll(async () => {
  folder = await freshCheckout()
  const [first] = blocks
  expect(first, 'the block that starts the server').toMatchObject({
    role: 'serve',
    text: 'npm ci && npx bucket serve\n',
  })
  const port = await freePort()
  origin = `127.0.0.1:${port}`
  server = start('npx', ['bucket', 'serve', '--port', String(port)])
  server.stderr?.resume()
  if (!server.stdout) throw new Error('the server has no stdout')
  for await (const line of createInterface({ input: server.stdout, signal: AbortSignal.timeout(START_MS) }))
    if (line === `Bucket is ready at http://${origin}/v1`) return
  throw new Error('the server did not print what the README says')
}, START_MS)

afterAll(async () => {
  if (server) {
    const exited = once(server, 'close')
    stop(server)
    await exited
  }
  await rm(folder, { recursive: true, force: true })
})

describe('the README', () => {
  it('has blocks of every kind', () => {
    expect(new Set(runs.map(({ language }) => language))).toEqual(new Set(['sh', 'js', 'python']))
  })

  it.for(runs.map((block) => ({ block, name: `line ${block.line}, ${block.language}` })))(
    'works as printed: $name',
    { timeout: BLOCK_MS },
    async ({ block }, context) => {
      for (const tool of TOOLS[block.language] ?? [])
        context.skip(spawnSync(tool, ['--version']).status !== 0, `${tool} is not installed`)
      const { exit, stdout, stderr } = await runBlock(block)
      expect(exit, `${stdout}${stderr}`).toBe(0)
      const expected = printed.get(block)
      if (expected !== undefined) expect(stdout.trimEnd()).toMatch(patternOf(expected))
    },
  )
})
