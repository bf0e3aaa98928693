/**
 * Notices that something else has written to a file that this process maps into memory. LMDB follows the pointers in its file without a
 * check, so foreign bytes would end the process with a signal. A change by a process that runs at the same moment can still be too fast.
 */
import { closeSync, fstatSync, openSync } from 'node:fs'
import { statInPlace } from '../in-place.ts'

/** An earlier look counts for so many milliseconds: many reads share one system call. */
const FRESH_MS = 10

export class UnchangedFile {
  readonly #path: string
  readonly #fd: number
  #state: string
  #lookedAt = Number.NEGATIVE_INFINITY
  #isChanged = false

  constructor(path: string) {
    this.#path = path
    this.#fd = openSync(path, 'r')
    this.#state = this.#look()
  }

  /** After a write of this process. */
  accept(): void {
    this.#state = this.#look()
  }

  /** @param freshMs how old an earlier look may be, in milliseconds. @returns false once the file was changed by something else. */
  isUnchanged(freshMs = FRESH_MS): boolean {
    const now = performance.now()
    if (this.#isChanged || now - this.#lookedAt < freshMs) return !this.#isChanged
    this.#lookedAt = now
    this.#isChanged = this.#look() !== this.#state
    return !this.#isChanged
  }

  /** @returns false once the file was moved, removed or replaced. */
  isInPlace(): boolean {
    return statInPlace(this.#path, fstatSync(this.#fd)) !== undefined
  }

  close(): void {
    closeSync(this.#fd)
  }

  #look(): string {
    const { size, mtimeNs } = fstatSync(this.#fd, { bigint: true })
    return `${size}/${mtimeNs}`
  }
}
