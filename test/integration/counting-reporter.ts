/** Writes the counts for the runner: how many tests passed and failed, and why others were skipped. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

export interface Counts {
  passed: number
  failed: number
  /** The reason of each skipped test. */
  skipped: string[]
}

const NO_REASON = 'no reason given, or what its suite prepares failed'

/** The file that the counts go to. */
export const COUNTS_FILE = 'BUCKET_INTEGRATION_COUNTS'

export class CountingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const file = process.env[COUNTS_FILE]
    if (file === undefined) return
    // An error outside of tests is a failure, too, and so is a module or suite that could not be set up.
    const counts: Counts = { passed: 0, failed: errors.length, skipped: [] }
    for (const module of modules) {
      const broken = [module, ...module.children.allSuites()].filter((part) => part.errors().length > 0)
      counts.failed += broken.length
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') counts.passed += 1
        else if (result.state === 'failed') counts.failed += 1
        else counts.skipped.push((result.state === 'skipped' && result.note) || NO_REASON)
      }
    }
    writeFileSync(file, JSON.stringify(counts))
  }
}
