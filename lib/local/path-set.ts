/** A set of many paths in eight bytes each: 48 bits of their SHA-256. A path that was never added is found once in 2^48 / size times. */
import { createHash } from 'node:crypto'

const HASH_BYTES = 6

export class PathSet {
  #hashes = new Float64Array(1024)
  #size = 0

  add(path: string): void {
    if (this.#size === this.#hashes.length) {
      const larger = new Float64Array(2 * this.#size)
      larger.set(this.#hashes)
      this.#hashes = larger
    }
    this.#hashes[this.#size++] = hashOf(path)
  }

  /** Call it after the last `add` and before the first `has`. */
  seal(): void {
    this.#hashes = this.#hashes.subarray(0, this.#size).sort()
  }

  has(path: string): boolean {
    const wanted = hashOf(path)
    let from = 0
    let to = this.#hashes.length
    while (from < to) {
      const middle = (from + to) >> 1
      const hash = this.#hashes[middle] ?? 0
      if (hash === wanted) return true
      if (hash < wanted) from = middle + 1
      else to = middle
    }
    return false
  }
}

const hashOf = (path: string): number => createHash('sha256').update(path).digest().readUIntLE(0, HASH_BYTES)
