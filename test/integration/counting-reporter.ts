/** Writes what the runner counts: how many tests passed and failed, and why others were skipped. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

export interface Counts {
  passed: number
  failed: number
  /** The reason of each skipped test. */
  skipped: string[]
}

/** The file that the counts go to. */
export const COUNTS_FILE = 'BUCKET_INTEGRATION_COUNTS'

export class CountingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const file = process.env[COUNTS_FILE]
    if (file === undefined) return
    // An error outside of tests, or a module that did not load, is a failure, too.
    const counts: Counts = { passed: 0, failed: errors.length, skipped: [] }
    for (const module of modules) {
      const broken = module.state() === 'failed' && [...module.children.allTests('failed')].length === 0
      if (broken) counts.failed += 1
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') counts.passed += 1
        else if (result.state === 'failed') counts.failed += 1
        else if (!broken)
          counts.skipped.push(
            (result.state === 'skipped' && result.note) || `${test.fullName} says no reason`,
          )
      }
    }
    writeFileSync(file, JSON.stringify(counts))
  }
}
