/**
 * Notices that something else has removed, replaced or written to a sealed segment, which never changes while a server runs. The server may
 * not meet that by itself: it has the records that were read last in memory, and segments open.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { BucketError } from '../../domain/errors.ts'
import { onDisk } from '../disk-error.ts'
import { segmentName } from './segment.ts'

export class SealedSegments {
  readonly #folder: string
  /** The state of each segment when it was opened or sealed. */
  readonly #states: (string | undefined)[] = []

  /** @param count of the segments that are sealed already. */
  constructor(folder: string, count: number) {
    this.#folder = folder
    while (this.#states.length < count) this.add()
  }

  /** Call it when the next segment was sealed. */
  add(): void {
    this.#states.push(this.#look(this.#states.length + 1))
  }

  /** @throws BucketError `unavailable`, of the first segment that has changed. */
  check(): void {
    const changed = this.#states.findIndex((state, index) => state !== this.#look(index + 1))
    if (changed >= 0)
      throw BucketError.needsOperator(
        `${segmentName(changed + 1)} of the ledger was removed or changed by something else`,
        'stop the server and run `bucket fsck` on its folder; if that finds damage, restore the segment from a backup',
      )
  }

  #look(number: number): string | undefined {
    const path = join(this.#folder, segmentName(number))
    const found = onDisk(() => statSync(path, { bigint: true, throwIfNoEntry: false }))
    return found && `${found.dev}/${found.ino}/${found.size}/${found.mtimeNs}`
  }
}
