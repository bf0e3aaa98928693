/** A fault that is planted on purpose: one small patch of the code, and the test files that must notice it. */

export interface Mutant {
  /** The fault, as what the patched code does wrong. */
  readonly fault: string
  readonly file: string
  /** Stands exactly once in the file. */
  readonly from: string
  readonly to: string
  /** The test files that are run; at least one of their tests must fail. Choose fast ones. */
  readonly tests: readonly string[]
  /** Part of the titles of the tests that are run, where a file has slow ones, too. */
  readonly titles?: string
}
