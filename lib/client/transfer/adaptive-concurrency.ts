/**
 * How many transfers run at once: begins low, grows as long as that brings more bytes per second, halves when the other
 * side is overloaded. Nothing but time and bytes decide, so that the rule can be tested as data.
 */

const FIRST = 3
/** More connections than this bring nothing on any line we know of, and each costs buffers. */
const MOST = 16
/** Growing is worth it only for this much more throughput. */
const WORTH = 1.08

export class AdaptiveConcurrency {
  readonly #now: () => number
  #limit = FIRST
  #bestRate = 0
  #windowBegan: number
  #windowBytes = 0
  #windowTransfers = 0
  #shrunkAt = Number.NEGATIVE_INFINITY

  /** @param now milliseconds from any point; a parameter so that tests need not wait. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#windowBegan = now()
  }

  /** How many may run at once now: 1 to 16. */
  get limit(): number {
    return this.#limit
  }

  /** A transfer begins. @returns what `failed` wants to know of it. */
  began(): number {
    return this.#now()
  }

  /** A transfer of this many bytes is done. Compared are windows in which each of those that run at once ends once. */
  succeeded(bytes: number): void {
    this.#windowBytes += bytes
    this.#windowTransfers += 1
    if (this.#windowTransfers < this.#limit) return
    const rate = this.#windowBytes / Math.max(1, this.#now() - this.#windowBegan)
    if (rate > this.#bestRate * WORTH) {
      this.#bestRate = rate
      this.#limit = Math.min(MOST, this.#limit + 1)
    }
    this.#newWindow()
  }

  /** The other side was too slow or said that it has too much to do. Those that fail together count once. */
  failed(began: number): void {
    if (began < this.#shrunkAt) return
    this.#shrunkAt = this.#now()
    this.#limit = Math.max(1, Math.floor(this.#limit / 2))
    this.#bestRate = 0
    this.#newWindow()
  }

  #newWindow(): void {
    this.#windowBegan = this.#now()
    this.#windowBytes = 0
    this.#windowTransfers = 0
  }
}
