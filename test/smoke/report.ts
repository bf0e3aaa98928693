/** The report of a smoke test: one line per check, with the details that a deployer needs for each failure. */

/** A broken promise. */
export class Unexpected extends Error {
  readonly expected: string
  readonly seen: string

  constructor(expected: string, seen: string) {
    super(`expected ${expected}, saw ${seen}`)
    this.expected = expected
    this.seen = seen
  }
}

/** A promise that cannot be checked on this deployment, or through its network path. */
export class NotShown extends Error {}

export function expectThat(kept: boolean, expected: string, seen: unknown): void {
  if (!kept) throw new Unexpected(expected, typeof seen === 'string' ? seen : JSON.stringify(seen))
}

export function expectSame(what: string, seen: unknown, expected: unknown): void {
  const [is, should] = [JSON.stringify(seen), JSON.stringify(expected)]
  if (is !== should) throw new Unexpected(`${what} ${should}`, `${is}`)
}

export class Report {
  #passed = 0
  #failed = 0
  #skipped = 0

  /**
   * Makes one check. It passes when `look` resolves; the result is printed next to the line.
   *
   * @param where the first place to look at when it fails.
   * @returns the result of `look`; undefined if the check failed.
   */
  async check<T>(what: string, where: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      const value = await look()
      this.#passed += 1
      console.log(`passed   ${what}${typeof value === 'string' ? `: ${value}` : ''}`)
      return value
    } catch (error) {
      if (error instanceof NotShown) this.skip(what, error.message)
      else this.#fail(what, where, error)
      return undefined
    }
  }

  skip(what: string, why: string): void {
    this.#skipped += 1
    console.log(`skipped  ${what}: ${why}`)
  }

  #fail(what: string, where: string, error: unknown): void {
    this.#failed += 1
    console.log(`FAILED   ${what}`)
    if (error instanceof Unexpected)
      console.log(`           expected: ${error.expected}\n           seen:     ${error.seen}`)
    else
      console.log(`           ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`)
    console.log(`           look at:  ${where}`)
  }

  get isGood(): boolean {
    return this.#failed === 0
  }

  /** The last line, on a line of its own, for people and programs. */
  get summary(): string {
    return `${this.#passed} passed, ${this.#failed} failed, ${this.#skipped} skipped`
  }
}
