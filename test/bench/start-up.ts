/** The cost of starting the built command line, next to that of Node alone and of npx alone. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROUNDS = 25
const BUCKET = resolve('dist/bin/bucket.js')

interface Cost {
  readonly wallMs: number
  /** Of the process and of those that it started. */
  readonly cpuMs: number
}

/** Runs every command once a round, in turn, so that all of them see the same machine. */
export function startUps(base: string): void {
  execFileSync(process.execPath, ['tools/build.mjs'])
  const folder = mkdtempSync(join(base, 'start-up-'))
  const module = join(folder, 'empty.mjs')
  writeFileSync(module, '')
  const commands: Readonly<Record<string, readonly string[]>> = {
    '`node -e 0`': [process.execPath, '-e', '0'],
    'an empty module': [process.execPath, module],
    '`node dist/bin/bucket.js --version`': [process.execPath, BUCKET, '--version'],
    '`node dist/bin/bucket.js --help`': [process.execPath, BUCKET, '--help'],
    '`node dist/bin/bucket.js digest package.json`': [process.execPath, BUCKET, 'digest', 'package.json'],
    '`npx -c true`': ['npx', '-c', 'true'],
    '`npx bucket --version`': ['npx', 'bucket', '--version'],
  }
  const costs = new Map(Object.keys(commands).map((name) => [name, [] as Cost[]]))
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, command] of Object.entries(commands)) costs.get(name)?.push(costOf(command))
  rmSync(folder, { recursive: true })
  console.log('\n| start | median ms | least ms | processor ms (median) |\n|---|---|---|---|')
  for (const [name, runs] of costs) {
    const wall = sorted(runs.map(({ wallMs }) => wallMs))
    const cpu = sorted(runs.map(({ cpuMs }) => cpuMs))
    const shown = [wall[ROUNDS >> 1], wall[0], cpu[ROUNDS >> 1]].map((ms) => (ms ?? Number.NaN).toFixed(0))
    console.log(`| ${name} | ${shown.join(' | ')} |`)
  }
}

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

/** Bash measures the processor time of what it ran: `user`, `sys` in seconds. */
function costOf(command: readonly string[]): Cost {
  const script = 'TIMEFORMAT="%R %U %S"; time "$@" > /dev/null'
  const { stderr, status } = spawnSync('bash', ['-c', script, 'bash', ...command], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command.join(' ')} failed: ${stderr}`)
  const [wall = Number.NaN, user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '')
    .split(' ')
    .map(Number)
  return { wallMs: wall * 1000, cpuMs: (user + system) * 1000 }
}
