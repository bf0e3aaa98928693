/**
 * The README's code blocks run in order, as printed, against the server that the first one starts (`sh serve`), in a folder that
 * looks like a fresh checkout. Only the port differs, because 9470 may be in use.
 */
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  blocksOf,
  patternOf,
  printedBy,
  runBlock,
  startGroup,
  stopGroup,
} from '../support/document-blocks.ts'

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

const README = await readFile('README.md', 'utf8')

const blocks = blocksOf(README)
const runs = blocks.filter(({ role }) => role === 'run')
const printed = printedBy(blocks)

let folder: string
let bin: string
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

/**
 * npx starts the server. It takes several times as long as the command that it starts, so the blocks get an `npx` that runs the same
 * link of the checkout at once.
 */
async function quickNpx(): Promise<string> {
  const bin = join(folder, '.quick')
  await mkdir(bin)
  await writeFile(join(bin, 'npx'), '#!/bin/sh\nexec "node_modules/.bin/$@"\n', { mode: 0o755 })
  return bin
}

/** The variables of a user's shell, and no others. */
const place = (bin?: string) => ({
  folder,
  environment: {
    PATH: bin === undefined ? process.env.PATH : `${bin}:${process.env.PATH}`,
    HOME: process.env.HOME,
    BUCKET_URL: `http://${origin}/v1`,
  },
  limit: BLOCK_MS,
})

beforeAll(async () => {
  folder = await freshCheckout()
  bin = await quickNpx()
  const [first] = blocks
  expect(first, 'the block that starts the server').toMatchObject({
    role: 'serve',
    text: 'npm ci && npx bucket serve\n',
  })
  const port = await freePort()
  origin = `127.0.0.1:${port}`
  server = startGroup('npx', ['bucket', 'serve', '--port', String(port)], place())
  server.stderr?.resume()
  if (!server.stdout) throw new Error('the server has no stdout')
  for await (const line of createInterface({ input: server.stdout, signal: AbortSignal.timeout(START_MS) }))
    if (line === `Bucket is ready at http://${origin}/v1`) return
  throw new Error('the server did not print what the README says')
}, START_MS)

afterAll(async () => {
  if (server) {
    const exited = once(server, 'close')
    stopGroup(server)
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
      const text = block.text.replaceAll(PRINTED_ORIGIN, origin)
      const { exit, stdout, stderr } = await runBlock({ ...block, text }, place(bin))
      expect(exit, `${stdout}${stderr}`).toBe(0)
      const expected = printed.get(block)
      if (expected !== undefined) expect(stdout.trimEnd()).toMatch(patternOf(expected))
    },
  )
})
