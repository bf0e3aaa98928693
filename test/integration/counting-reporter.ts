/** Writes the counts for the runner: how many tests passed, which failed, and why others were skipped. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

export interface Counts {
  passed: number
  failed: { readonly name: string; readonly why: string }[]
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
    const failed = errors.map((error) => ({ name: 'an error outside of tests', why: textOf([error]) }))
    const counts: Counts = { passed: 0, failed, skipped: [] }
    for (const module of modules) {
      for (const part of [module, ...module.children.allSuites()]) {
        const name =
          part.type === 'suite' ? `${module.relativeModuleId}: ${part.fullName}` : module.relativeModuleId
        if (part.errors().length > 0) failed.push({ name, why: textOf(part.errors()) })
      }
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') counts.passed += 1
        else if (result.state === 'failed')
          failed.push({ name: `${module.relativeModuleId}: ${test.fullName}`, why: textOf(result.errors) })
        else counts.skipped.push((result.state === 'skipped' && result.note) || NO_REASON)
      }
    }
    writeFileSync(file, JSON.stringify(counts))
  }
}

const textOf = (errors: readonly unknown[]): string =>
  errors.map((error) => (hasMessage(error) ? error.message : String(error))).join('\n')

const hasMessage = (error: unknown): error is { readonly message: string } =>
  typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string'
