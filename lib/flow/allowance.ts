/**
 * Bounds the memory that many streams use together, and delays none of them: while the streams hold little in total, each may hold
 * much at a time, which is fast; beyond that, each may hold only what it needs to make progress.
 */
export class Allowance {
  readonly #total: number
  readonly #most: number
  readonly #least: number
  #held = 0

  /**
   * Sizes in bytes. All streams together hold `total`, plus `least` for each stream, plus one chunk of each.
   *
   * @param most for one stream while less than `total` is held.
   */
  constructor({ total, most, least }: { total: number; most: number; least: number }) {
    this.#total = total
    this.#most = most
    this.#least = least
  }

  /** The bytes that one stream may hold now. */
  get share(): number {
    return this.#held < this.#total ? this.#most : this.#least
  }

  /** Bytes that all streams hold now. */
  get held(): number {
    return this.#held
  }

  take(bytes: number): void {
    this.#held += bytes
  }

  give(bytes: number): void {
    this.#held -= bytes
  }
}
