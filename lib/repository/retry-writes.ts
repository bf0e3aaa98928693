/** Compare-and-set in a loop: read, decide, write. If the row changed in between, try again with the new row. */
import { BucketError } from '../domain/errors.ts'

/** Each lost write means that another caller made progress. More losses than this in a row mean that something is wrong. */
const TRIES = 8

/**
 * @param attempt reads the row again each time; returns undefined when its write lost.
 * @throws BucketError `unavailable` when it keeps losing.
 */
export async function retryWrites<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const result = await attempt()
    if (result !== undefined) return result
  }
  throw BucketError.unavailable('other requests keep changing the upload')
}
