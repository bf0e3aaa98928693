/** The guide for assistants: its blocks run as printed, its tables are those of the code, and its experiment survives a crash anywhere. */
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { EXIT } from '../../lib/cli/exit-codes.ts'
import { ERRORS, type ErrorCode } from '../../lib/domain/errors.ts'
import { REMEDIES } from '../../lib/mcp/remedies.ts'
import { ERROR_STATUS } from '../../lib/protocol/errors.ts'
import { type BlockPlace, blocksOf, patternOf, printedBy, runBlock } from '../support/document-blocks.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'
import { type Consumer, createConsumer } from './consumer.ts'

/** A limit for hangs. */
const BLOCK_MS = 120_000
const GUIDE = await readFile('docs/for-assistants.md', 'utf8')
const blocks = blocksOf(GUIDE)
const printed = printedBy(blocks)
const runs = blocks.filter(({ role }) => role === 'run')

let folder: string
let server: Served
let consumer: Consumer

/** A folder with the built command on its path, as `bucket`. */
async function placeIn(name: string, script: string): Promise<BlockPlace> {
  const bin = join(folder, `${name}-bin`)
  const work = join(folder, name)
  for (const path of [bin, work]) await mkdir(path)
  await writeFile(join(bin, 'bucket'), `#!/bin/sh\n${script}\n`)
  await chmod(join(bin, 'bucket'), 0o755)
  const environment = { PATH: `${bin}:${process.env.PATH}`, HOME: work, BUCKET_URL: server.url }
  return { folder: work, environment, limit: BLOCK_MS }
}

/** The command of the packed archive: another test may replace `dist/` meanwhile. */
const command = () =>
  `exec '${process.execPath}' '${join(consumer.folder, 'node_modules/bucket-v1/dist/bin/bucket.js')}' "$@"`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-guide-'))
  consumer = createConsumer([inject('packed').service], [], {})
  server = await serveFolder(join(folder, 'data'))
}, 60_000)
afterAll(async () => {
  await server.kill()
  consumer.remove()
  await rm(folder, { recursive: true })
})

const missing = (language: string) =>
  (language === 'python' ? ['python3'] : ['curl', 'python3']).find(
    (tool) => spawnSync(tool, ['--version']).status !== 0,
  )

describe('docs/for-assistants.md', () => {
  let place: BlockPlace
  beforeAll(async () => {
    place = await placeIn('work', command())
  })

  it.for(runs.map((block) => ({ block, name: `line ${block.line}, ${block.language}` })))(
    'works as printed: $name',
    { timeout: BLOCK_MS },
    async ({ block }, context) => {
      const tool = missing(block.language)
      context.skip(tool !== undefined, `${tool} is not installed`)
      const { exit, stdout, stderr } = await runBlock(block, place)
      expect(exit, `${stdout}${stderr}`).toBe(0)
      expect(stdout.trimEnd()).toMatch(patternOf(printed.get(block) ?? ''))
    },
  )

  it('prints the result of every block', () => {
    expect(runs.filter((block) => !printed.has(block)).map(({ line }) => line)).toEqual([])
  })

  it('has every code with its status, whether a retry helps, and the remedy that the tools give', () => {
    const rows = [...GUIDE.matchAll(/^\| (\d{3}) \| `(\w+)` \| (yes|no) \| (.+) \|$/gm)].map(
      ([, status, code, retry, remedy]) => ({ status: Number(status), code, retry, remedy }),
    )
    const expected = (Object.keys(ERRORS) as ErrorCode[]).map((code) => ({
      status: ERROR_STATUS[code],
      code,
      retry: ERRORS[code].retryable ? 'yes' : 'no',
      remedy: REMEDIES[code],
    }))
    expect(new Set(rows)).toEqual(new Set(expected))
    expect(rows).toHaveLength(expected.length)
  })

  it('names the exit statuses of the command', () => {
    const named = [...GUIDE.matchAll(/^\| (\d) \| /gm)].map(([, exit]) => Number(exit))
    const failures = Object.entries(EXIT).filter(([name]) => name !== 'unexpected')
    expect(named).toEqual(failures.map(([, exit]) => exit).sort())
  })

  it('is served by the local server as /llms.txt, to its own names only', async () => {
    const response = await fetch(new URL('/llms.txt', server.url))
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await response.text()).toBe(GUIDE)
    const foreign = await fetch(new URL('/llms.txt', server.url), {
      headers: { Origin: 'https://page.example' },
    })
    expect(foreign.status).toBe(421)
  })

  it('fits into the context of an assistant', () => {
    expect(GUIDE.length).toBeLessThan(32_000)
  })
})

describe('the experiment of the guide', { timeout: 300_000 }, () => {
  const experiment = blocks.find(({ file }) => file === 'experiment.py')

  it('ends with the same registry after a crash in any step', async (context) => {
    context.skip(missing('python') !== undefined, 'python3 is not installed')
    if (!experiment) throw new Error('the guide has no experiment')
    // One more call of the command succeeds with each start; the next one kills the program as a power cut does.
    const script = `calls=$(cat calls 2>/dev/null || echo 0)
[ "$calls" -ge "$(cat allowed)" ] && kill -9 $PPID && exit 9
echo $((calls + 1)) > calls
${command()}`
    const place = await placeIn('crashes', script)
    const exits: unknown[] = []
    for (let allowed = 0; exits.at(-1) !== 0 && allowed < 10; allowed++) {
      await writeFile(join(place.folder, 'allowed'), String(allowed))
      await writeFile(join(place.folder, 'calls'), '0')
      // A run of its own: the versions of run 47 are there already.
      const text = experiment.text.replaceAll('else "47"', 'else "crashing"')
      exits.push((await runBlock({ ...experiment, text }, place)).exit)
    }
    // A check and three stores: a crash before each of them, and then none.
    expect(exits).toEqual([null, null, null, null, 0])
    const dump = spawnSync(
      'python3',
      [
        '-c',
        "import sqlite3; print(*sqlite3.connect('registry.db').execute('SELECT name, run, pinned_ref FROM artifacts ORDER BY name'), sep='\\n')",
      ],
      { cwd: place.folder, encoding: 'utf8' },
    ).stdout
    expect(dump.trim().split('\n')).toEqual([
      expect.stringContaining("('dataset', 'crashing', 'tiny/dataset/sha256-1f04397277af@sha256:"),
      expect.stringContaining("('metrics', 'crashing', 'tiny/metrics/run-crashing@sha256:"),
      expect.stringContaining("('model', 'crashing', 'tiny/model/run-crashing@sha256:"),
    ])
  })
})

describe('docs/skill/SKILL.md', { timeout: 120_000 }, () => {
  it('has commands that work', async () => {
    const place = await placeIn('skill', command())
    const sh = (text: string) =>
      runBlock({ language: 'sh', role: 'run', file: undefined, text, line: 0 }, place)
    const prepared = await sh(`printf '{"accuracy":0.9}' > metrics.json && printf 'id\\n1\\n' > data.csv
      mkdir checkpoint && printf 'weights' > checkpoint/model.bin
      printf 'text' | bucket put skill/notes/v1 -
      bucket put skill/metrics/run-48 metrics.json`)
    expect(prepared.exit, prepared.stderr).toBe(0)
    const skill = await readFile('docs/skill/SKILL.md', 'utf8')
    const commands = [...skill.matchAll(/^```sh\n(.*?)^```$/gms)]
      .flatMap(([, text = '']) => text.split('\n'))
      .map((line) => line.replace(/\s+#.*$/, ''))
      .filter(Boolean)
      // The guide's blocks use the same refs.
      .map((line) => line.replaceAll('demo/', 'skill/'))
    for (const text of commands) {
      const lock = 'bucket put skill/metrics/run-47 metrics.json --lock bucket.lock; '
      const pinned = text.replace(
        /(skill\/\S+)@sha256:<hex>/,
        '"$1@$(bucket show $1 --json | sed -E "s/.*(sha256:[0-9a-f]{64}).*/\\1/")"',
      )
      const { exit, stderr } = await sh(text.includes('--locked') ? lock + text : pinned)
      expect(exit, `${text}\n${stderr}`).toBe(0)
    }
    expect(commands.length).toBeGreaterThan(8)
  })
})
