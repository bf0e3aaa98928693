/** What a failed commit of LMDB means to the caller of a port. It leaves the database as it was, and usable. */
import { constants } from 'node:os'
import { BucketError } from '#protocol/errors'

/** LMDB passes the operating system's numbers on. */
const NO_SPACE: readonly unknown[] = [constants.errno.ENOSPC, constants.errno.EDQUOT]

/** @param table what failed, in words: `the ledger`. The reason of a failed commit comes in a promise of its own. */
export async function lmdbError(table: string, error: unknown): Promise<BucketError> {
  const reason =
    error instanceof Error && 'commitError' in error && error.commitError instanceof Promise
      ? await error.commitError.then(
          () => error,
          (commitError: unknown) => commitError,
        )
      : error
  if (reason instanceof Error && 'code' in reason && NO_SPACE.includes(reason.code))
    return new BucketError(
      'insufficient_storage',
      `the disk of ${table} is full, or its quota exhausted`,
      {},
      { cause: reason },
    )
  return BucketError.unavailable(`${table} failed`, reason)
}
