/** Translates a failed commit of LMDB for the caller of a port. The database is unchanged and usable. */
import { statfs } from 'node:fs/promises'
import { constants } from 'node:os'
import { BucketError } from '../domain/errors.ts'
import { MIB } from '../domain/limits.ts'

/** LMDB passes the operating system's numbers on. */
const NO_SPACE: readonly unknown[] = [constants.errno.ENOSPC, constants.errno.EDQUOT]

/** The written thing, for error texts. */
export interface LmdbTable {
  /** In words: `the ledger`. */
  readonly name: string
  /** Of the environment's file. */
  readonly path: string
}

/** The reason of a failed commit comes in a separate promise. */
export async function lmdbError(table: LmdbTable, error: unknown): Promise<BucketError> {
  const reason =
    error instanceof Error && 'commitError' in error && error.commitError instanceof Promise
      ? await error.commitError.then(
          () => error,
          (commitError: unknown) => commitError,
        )
      : error
  const code = reason instanceof Error && 'code' in reason ? reason.code : undefined
  // A write that a full disk cuts short is an I/O error to LMDB.
  if (NO_SPACE.includes(code) || (code === constants.errno.EIO && (await isFull(table.path))))
    return new BucketError(
      'insufficient_storage',
      `the disk of ${table.name} is full, or its quota exhausted`,
      {},
      { cause: reason },
    )
  return BucketError.unavailable(`${table.name} failed`, reason)
}

/** Less space is left than a group of writes may need. */
const FULL_BYTES = MIB

async function isFull(path: string): Promise<boolean> {
  const free = await statfs(path).catch(() => undefined)
  return free !== undefined && free.bavail * free.bsize < FULL_BYTES
}
