/**
 * Collects the chunks of a stream in little more memory than they have bytes, for any sizes of the chunks: a sender may choose one
 * byte each, and a buffer of its own costs a hundred times that.
 */

/** Chunks below this are copied together. */
const SMALL_BYTES = 8 * 1024
const BLOCK_BYTES = 64 * 1024
/** The first block is small, because most short bodies come in two or three chunks. */
const FIRST_BLOCK_BYTES = 1024

export class Pieces {
  #pieces: Uint8Array[] = []
  #size = 0
  #block = new Uint8Array(0)
  #used = 0

  /** Bytes. */
  get size(): number {
    return this.#size
  }

  /** Appends a chunk, which its owner leaves unchanged from now on. */
  add(chunk: Uint8Array): void {
    const bytes = chunk.byteLength
    if (bytes === 0) return
    if (bytes >= SMALL_BYTES || this.#size === 0) {
      this.#seal()
      this.#pieces.push(chunk)
    } else {
      if (this.#used + bytes > this.#block.byteLength) {
        this.#seal()
        const next = Math.min(BLOCK_BYTES, Math.max(FIRST_BLOCK_BYTES, 2 * this.#size))
        this.#block = new Uint8Array(Math.max(next, bytes))
      }
      this.#block.set(chunk, this.#used)
      this.#used += bytes
    }
    this.#size += bytes
  }

  /** Returns the collected bytes in order, and starts from nothing again. */
  take(): readonly Uint8Array[] {
    this.#seal()
    const pieces = this.#pieces
    this.#pieces = []
    this.#size = 0
    return pieces
  }

  /** The collected bytes as one array; without a copy if they came as one chunk. */
  whole(): Uint8Array {
    this.#seal()
    const [first] = this.#pieces
    if (first !== undefined && this.#pieces.length === 1) return first
    const whole = new Uint8Array(this.#size)
    let at = 0
    for (const piece of this.#pieces) {
      whole.set(piece, at)
      at += piece.byteLength
    }
    this.#pieces = this.#size === 0 ? [] : [whole]
    return whole
  }

  /** Closes what was copied into the block so far, to keep the order of the bytes. */
  #seal(): void {
    if (this.#used > 0) this.#pieces.push(this.#block.subarray(0, this.#used))
    this.#block = this.#block.subarray(this.#used)
    this.#used = 0
  }
}
