/** Runs the suites of this folder against what the environment names, and counts them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { COUNTS_FILE, type Counts } from './counting-reporter.ts'
import { PROJECT } from './emulator.ts'
import { CommandFailed, run } from './processes.ts'
import type { Tally } from './tally.ts'

export interface SuitesOptions {
  readonly env: NodeJS.ProcessEnv
  /** A folder of this run. */
  readonly work: string
  readonly tally: Tally
  /** In milliseconds. */
  readonly limit: number
  /** The names of the files; all of them if left out. */
  readonly files?: readonly string[]
}

/** @throws CommandFailed when the run did not reach its end. */
export async function runSuites({ env, work, tally, limit, files = [] }: SuitesOptions): Promise<void> {
  const counts = join(work, 'counts.json')
  const vitest = join(PROJECT, 'node_modules', 'vitest', 'vitest.mjs')
  const paths = files.map((name) => join('test', 'integration', name))
  const args = [vitest, 'run', '--config', join(PROJECT, 'vitest.integration.config.ts'), ...paths]
  const options = { cwd: PROJECT, env: { ...env, [COUNTS_FILE]: counts }, output: 'inherit' } as const
  try {
    await run(process.execPath, args, limit, options)
  } catch (error) {
    // Failed tests are counted below; a run that did not reach its end is a failure of its own.
    if (!(error instanceof CommandFailed) || !existsSync(counts)) throw error
  }
  const { passed, failed, skipped }: Counts = JSON.parse(readFileSync(counts, 'utf8'))
  tally.passed += passed
  tally.skipped += skipped.length
  const reasons = new Map<string, number>()
  for (const reason of skipped) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  console.log(
    `suites: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped, for these reasons:`,
  )
  for (const [reason, count] of reasons) console.log(`  ${count} × ${reason}`)
  for (const { name, why } of failed) tally.fail(name, why)
}
