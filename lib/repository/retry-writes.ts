/** Compare-and-set in a loop: read, decide, write; when the row changed in between, once more with what is there now. */
import { BucketError } from '../domain/errors.ts'

/** Each loss means that somebody else got on; more than this many in a row means that something is wrong. */
const TRIES = 8

/**
 * @param attempt reads afresh each time; undefined when its write lost.
 * @throws BucketError `unavailable` when it keeps losing.
 */
export async function retryWrites<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const result = await attempt()
    if (result !== undefined) return result
  }
  throw BucketError.unavailable('the upload is being changed by others all the time')
}
