/**
 * Bounds one wait. Used around every wait for the network and around nothing else, so that a slow reader of a download
 * is never mistaken for a slow server.
 */

/**
 * @param ms milliseconds to wait.
 * @param expired makes the error when they are over, and closes the connection.
 */
export function within<T>(ms: number, wait: Promise<T>, expired: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(expired()), ms)
    wait.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Waits for something that cannot be stopped; rejects at once with the signal's reason when it is aborted. */
export function raceAbort<T>(wait: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return wait
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    wait.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Waits; rejects at once with the signal's reason when it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
