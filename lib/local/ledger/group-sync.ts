/**
 * Makes the groups of the log durable. A quick disk is waited for on the main thread, because asking another thread takes longer than
 * the sync itself. A slow disk must not stop other requests, so after a slow sync the next ones run on another thread for twenty times
 * as long (decision 023).
 */
import { syncFile, syncFileHere } from '../disk.ts'

/** A sync that takes no longer is quick, in milliseconds. */
const QUICK_SYNC_MS = 2
/** Slow syncs stop the main thread for at most this share of the time. */
const SLOW_SHARE = 0.05

/**
 * @param quickMs how long a quick sync takes at most, in milliseconds; 0 runs all of them on another thread.
 * @returns a function that makes the bytes of an open file durable. Only one call at a time.
 * @throws BucketError (from that function) `insufficient_storage`, `unavailable`.
 */
export function groupSync(quickMs: number = QUICK_SYNC_MS): (fd: number) => Promise<void> {
  /** Until then, by `performance.now()`, syncs run on another thread. */
  let elsewhereUntil = quickMs > 0 ? 0 : Number.POSITIVE_INFINITY
  return async (fd) => {
    const from = performance.now()
    if (from < elsewhereUntil) return await syncFile(fd)
    try {
      syncFileHere(fd)
    } finally {
      const took = performance.now() - from
      if (took > quickMs) elsewhereUntil = from + took / SLOW_SHARE
    }
  }
}
