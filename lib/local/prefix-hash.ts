/**
 * Hashes a staging file from its beginning while parts still arrive, so that the verifier has to read only the rest. Parts are read back
 * from the file, in order, when they are received; usually they are still in memory. It is lost with the process: then the verifier
 * reads all bytes.
 */
import { createHash, type Hash } from 'node:crypto'
import { partSize, sizeOfPart } from '../domain/limits.ts'
import { pour } from '../flow/pourable.ts'
import type { HashedBytes } from '../repository/upload-ports.ts'
import { readFile, readFileFrom } from './blob-reader.ts'

export interface PrefixHashOptions {
  readonly path: string
  /** Of the whole file, in bytes. */
  readonly size: number
  /** Whether a part was received, by number. */
  readonly isReceived: (number: number) => boolean
}

export class PrefixHash {
  readonly #options: PrefixHashOptions
  readonly #hash: Hash = createHash('sha256')
  readonly #stopped = new AbortController()
  /** Parts that were hashed. */
  #parts = 0
  #bytes = 0
  #isEnding = false
  #running: Promise<void> | undefined

  constructor(options: PrefixHashOptions) {
    this.#options = options
  }

  /** Hashes in the background what was received and comes next. */
  advance(): void {
    this.#running ??= this.#advance()
      // The verifier reports what cannot be read.
      .catch(() => this.#stopped.abort())
      .finally(() => {
        this.#running = undefined
      })
  }

  /** Ends it, because hashed bytes may change. Resolves when it reads no more. */
  async discard(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  /** Ends it after the part that is being hashed. @returns undefined if no bytes were hashed. */
  async end(): Promise<HashedBytes | undefined> {
    this.#isEnding = true
    await this.#running
    const { path, size } = this.#options
    if (this.#stopped.signal.aborted || this.#bytes === 0) return undefined
    const from = this.#bytes
    return { hash: this.#hash, size: from, rest: (signal) => readFileFrom(from, path, size, signal) }
  }

  async #advance(): Promise<void> {
    const { path, size, isReceived } = this.#options
    const { signal } = this.#stopped
    while (!this.#isEnding && !signal.aborted && this.#bytes < size && isReceived(this.#parts + 1)) {
      const first = this.#parts * partSize(size)
      const length = sizeOfPart(size, this.#parts + 1)
      const bytes = await readFile(path, { first, last: first + length - 1 }, signal)
      await pour(bytes, async (chunk) => void this.#hash.update(chunk))
      this.#parts += 1
      this.#bytes += length
    }
  }
}
