/**
 * `npm run mutants [-- TEXT]`: plants every fault of the lists, one at a time, in a scratch copy of the tree, and runs the tests that must
 * notice it. A fault that no test notices, or a patch that no longer applies, fails the run. TEXT runs only the faults whose file or
 * description contains it. Run `npm test` first: a test that fails anyway notices every fault. The last line is `N passed, N failed, 0 skipped`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { Mutant } from './mutant.ts'

/** Ends the tests of a fault that makes them hang, in milliseconds. */
const LIMIT_MS = 90_000
/** Left out of the copies: the tests do not need these, or must not share them. */
const LEFT_OUT = ['node_modules', '.git', '.cache', 'dist', 'cdk.out']
/** In a copy: what its tests leave when they fail is removed with it. */
const TEMPORARY = 'tmp'

/** The answer of a process about one fault. */
interface Outcome {
  /** Why the fault was not noticed; left out if it was. */
  readonly problem?: string
}

/** A copy of the tree, with a process in it that runs the tests of one fault at a time (`scratch.ts`). */
class Scratch {
  readonly #root = mkdtempSync(join(tmpdir(), 'bucket-mutants-'))
  #process: ChildProcess | undefined
  #output = ''

  constructor() {
    cpSync('.', this.#root, {
      recursive: true,
      filter: (path) => !LEFT_OUT.includes(basename(path)),
    })
    symlinkSync(resolve('node_modules'), join(this.#root, 'node_modules'))
    mkdirSync(join(this.#root, TEMPORARY))
  }

  /** @returns why the fault was not noticed; undefined if it was. */
  async run(mutant: Mutant): Promise<string | undefined> {
    this.#process ??= this.#start()
    const { pid } = this.#process
    // The process leads a group, because its workers may hang, too.
    const timer = setTimeout(() => pid && process.kill(-pid, 'SIGKILL'), LIMIT_MS)
    this.#output = ''
    this.#process.send(mutant)
    const outcome = await this.#outcome(this.#process)
    clearTimeout(timer)
    if (outcome) return outcome.problem
    this.#process = undefined
    cpSync(mutant.file, join(this.#root, mutant.file))
    return `its tests did not run to their end:\n${this.#output.slice(-2_000)}`
  }

  /** @returns undefined if the process ended instead. */
  #outcome(child: ChildProcess): Promise<Outcome | undefined> {
    return new Promise((resolve) => {
      const settle = (outcome: Outcome | undefined) => {
        child.off('message', settle).off('exit', ended)
        resolve(outcome)
      }
      const ended = () => settle(undefined)
      child.on('message', settle).on('exit', ended)
    })
  }

  #start(): ChildProcess {
    const child = fork(join('test', 'mutants', 'scratch.ts'), {
      cwd: this.#root,
      env: { ...process.env, TMPDIR: join(this.#root, TEMPORARY) },
      execArgv: ['--import', 'tsx'],
      detached: true,
      silent: true,
    })
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        this.#output += chunk
      })
    return child
  }

  async remove(): Promise<void> {
    if (this.#process) {
      const ended = once(this.#process, 'exit')
      this.#process.disconnect()
      await ended
    }
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
// One more than there are processors, because some faults make a test wait for what never comes.
const scratches = Array.from({ length: Math.min(4, availableParallelism() + 1) }, () => new Scratch())
try {
  await Promise.all(scratches.map(work))
} finally {
  for (const scratch of scratches) await scratch.remove()
}
console.log(`\n${passed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed === 0 ? 0 : 1
