/**
 * The number of concurrent transfers: begins low, grows while throughput increases, and halves when the other side is overloaded. Only time
 * and bytes decide, so that the rule can be tested as data.
 */

const FIRST = 3
/** More connections than this were never faster, and each costs buffers. */
const MOST = 16
/** Growth continues only for at least this increase in throughput. */
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

  /** The current number of concurrent transfers, 1 to 16. */
  get limit(): number {
    return this.#limit
  }

  /** A transfer begins. @returns the argument for `failed`. */
  began(): number {
    return this.#now()
  }

  /** A transfer of this many bytes is done. The rates of windows are compared in which every concurrent transfer ends once. */
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

  /** The other side was too slow, or reported overload. Transfers that fail together count once. */
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
