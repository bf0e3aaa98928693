/**
 * `npm run mutants [-- TEXT]`: plants every fault of the lists, one at a time, in a scratch copy of the tree, and runs the tests that must
 * notice it. A fault that no test notices, or a patch that no longer applies, fails the run. TEXT runs only the faults whose file or
 * description contains it. Run `npm test` first: a test that fails anyway notices every fault. The last line is `N passed, N failed, 0 skipped`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { Mutant } from './mutant.ts'

/** Ends the tests of a fault that makes them hang, in milliseconds. */
const LIMIT_MS = 90_000
/** Left out of the copies: the tests do not need these, or must not share them. */
const LEFT_OUT = ['node_modules', '.git', '.cache', 'dist', 'cdk.out']

/** The outcome of one run of tests. */
interface Outcome {
  readonly failedTests: number
  /** Whether the run came to its end, with every file loaded. */
  readonly isSound: boolean
  readonly output: string
}

/** A copy of the tree, in which one run of tests at a time takes place. */
class Scratch {
  readonly #root = mkdtempSync(join(tmpdir(), 'bucket-mutants-'))

  constructor() {
    cpSync('.', this.#root, {
      recursive: true,
      filter: (path) => !LEFT_OUT.includes(basename(path)),
    })
    symlinkSync(resolve('node_modules'), join(this.#root, 'node_modules'))
  }

  /** @returns why the fault was not noticed; undefined if it was. */
  async run({ file, from, to, tests, titles }: Mutant): Promise<string | undefined> {
    const path = join(this.#root, file)
    const original = readFileSync(path, 'utf8')
    const count = original.split(from).length - 1
    if (count !== 1)
      return `the patch no longer applies: its text stands ${count} times in ${file}. Adapt the mutant:\n${from}`
    writeFileSync(
      path,
      original.replace(from, () => to),
    )
    try {
      const { failedTests, isSound, output } = await this.test(tests, titles)
      if (failedTests > 0) return undefined
      return isSound
        ? `it survived ${tests.join(', ')}${titles ? ` (${titles})` : ''}`
        : `its tests did not run:\n${output.slice(-2_000)}`
    } finally {
      writeFileSync(path, original)
    }
  }

  async test(files: readonly string[], titles: string | undefined): Promise<Outcome> {
    const report = join(this.#root, 'mutant.json')
    rmSync(report, { force: true })
    // Most modules are the same in every run, so the runs share what they compile.
    const options = ['--experimental.fsModuleCache', '--bail', '1', '--maxWorkers', '1']
    options.push('--reporter', 'json', '--outputFile', report)
    const args = ['run', ...files, ...options]
    if (titles !== undefined) args.push('--testNamePattern', titles)
    const child = spawn(process.execPath, [join('node_modules', 'vitest', 'vitest.mjs'), ...args], {
      cwd: this.#root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
      })
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
    await once(child, 'close')
    clearTimeout(timer)
    try {
      const { numFailedTests, numPassedTests, success } = JSON.parse(readFileSync(report, 'utf8'))
      return { failedTests: numFailedTests, isSound: success && numPassedTests > 0, output }
    } catch {
      return { failedTests: 0, isSound: false, output }
    }
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}

/** Every list: one for each folder of `lib/`. */
async function readLists(): Promise<readonly Mutant[]> {
  const files = readdirSync(new URL('lists/', import.meta.url)).sort()
  const lists: { MUTANTS: readonly Mutant[] }[] = await Promise.all(
    files.map((file) => import(new URL(`lists/${file}`, import.meta.url).href)),
  )
  return lists.flatMap(({ MUTANTS }) => MUTANTS)
}

const wanted = process.argv[2] ?? ''
const waiting = (await readLists()).filter(({ fault, file }) => `${file} ${fault}`.includes(wanted))
let passed = 0
let failed = 0

async function work(scratch: Scratch): Promise<void> {
  for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
    const began = performance.now()
    const problem = await scratch.run(mutant)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    if (problem === undefined) passed += 1
    else failed += 1
    const verdict = problem === undefined ? 'noticed' : 'FAILED '
    console.log(`${verdict} ${mutant.file}: ${mutant.fault} (${seconds} s)${problem ? `: ${problem}` : ''}`)
  }
}

if (waiting.length === 0)
  throw new Error(`no mutant has ${JSON.stringify(wanted)} in its file or description`)
const scratches = Array.from({ length: Math.min(4, availableParallelism()) }, () => new Scratch())
try {
  await Promise.all(scratches.map(work))
} finally {
  for (const scratch of scratches) scratch.remove()
}
console.log(`\n${passed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed === 0 ? 0 : 1
