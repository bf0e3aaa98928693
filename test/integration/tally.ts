/** Counts what a run showed, and prints each line as it comes. A skip is counted and says why. */
export class Tally {
  passed = 0
  failed = 0
  skipped = 0

  pass(what: string): void {
    this.passed += 1
    console.log(`  ok    ${what}`)
  }

  fail(what: string, why: string): void {
    this.failed += 1
    console.log(`  FAIL  ${what}\n${why.replace(/^/gm, '        ')}`)
  }

  skip(what: string, why: string): void {
    this.skipped += 1
    console.log(`  skip  ${what}: ${why}`)
  }

  /** The closing line, alone on its line, for people and for machines. */
  get summary(): string {
    return `${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`
  }
}
