/**
 * Group commit: whatever is to be written while a transaction is on its way to the disk goes there together with the next one.
 * A group is closed when LMDB has begun its transaction: never within a turn of the event loop, and as late as can be.
 */
import type { RootDatabase } from 'lmdb'
import { type LmdbTable, lmdbError } from './lmdb-failure.ts'

export interface Commits {
  /** Of the group that is still open; each group is on disk, or has failed, before the next one begins. */
  readonly group: number
  /**
   * Reads and writes (the `…Sync` functions) inside of the open group's transaction; resolves when that is on disk.
   *
   * @throws BucketError `insufficient_storage`, `unavailable`; nothing of the group has happened then.
   */
  run<T>(work: () => T): Promise<T>
  /** Resolves when everything that was handed in has been written, or has failed. */
  idle(): Promise<void>
}

interface Waiting {
  readonly work: () => void
  readonly done: () => void
  readonly fail: (error: unknown) => void
}

export function groupCommit(environment: RootDatabase, table: LmdbTable): Commits {
  let group = 0
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined

  async function commitAll(): Promise<void> {
    while (waiting.length > 0) await commit()
    running = undefined
  }

  async function commit(): Promise<void> {
    let closed: readonly Waiting[] = []
    const close = () => {
      closed = waiting
      waiting = []
      group += 1
    }
    try {
      // A child, because work that throws then takes back what the group has written; a plain transaction would keep it.
      await environment.childTransaction(() => {
        close()
        for (const { work } of closed) work()
      })
      for (const { done } of closed) done()
    } catch (error) {
      // Where the transaction could not even begin, this is whoever waited for it.
      if (closed.length === 0) close()
      const failure = await lmdbError(table, error)
      for (const { fail } of closed) fail(failure)
    }
  }

  return {
    get group() {
      return group
    },
    run<T>(work: () => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        let settle = () => {}
        waiting.push({
          work: () => {
            const result = work()
            settle = () => resolve(result)
          },
          done: () => settle(),
          fail: reject,
        })
        running ??= commitAll()
      })
    },
    idle: async () => running,
  }
}
