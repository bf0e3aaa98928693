/** Waits that end early: when a signal aborts, or when their time is over. They end only the wait, not the awaited work. */

/**
 * Runs one step, but stops waiting for it when the signal aborts.
 * Each call has its own listener and removes it: a race against one shared promise of the abort would keep every step in memory.
 *
 * @throws the reason of the signal; errors of the step.
 */
export const raceAbort = <T>(step: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    step()
      .then(resolve, reject)
      .finally(() => signal?.removeEventListener('abort', abort))
  })

/** 24 days: a timer with a longer time fires after one millisecond. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** @returns the time for a timer that waits `ms` milliseconds, or as long as a timer can. */
export const timerMs = (ms: number): number => Math.min(ms, LONGEST_TIMER_MS)

/** @param ms milliseconds. @throws the reason of the signal. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = () =>
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timerMs(ms))
    })
  return raceAbort(timeout, signal).finally(() => clearTimeout(timer))
}

/**
 * @param ms milliseconds to wait.
 * @param expired makes the error once they are over. The caller closes the connection, if there is one.
 */
export const within = <T>(ms: number, wait: Promise<T>, expired: () => Error): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(expired()), timerMs(ms))
    wait.then(resolve, reject).finally(() => clearTimeout(timer))
  })

const SOURCES = new WeakMap<AbortSignal, readonly AbortSignal[]>()

/**
 * A signal that aborts with the first of the others, as that of `AbortSignal.any` does. In Node 20 that one refers to the others only weakly:
 * a time limit (`AbortSignal.timeout`) to which nothing else refers is collected, and never aborts anything.
 */
export function anySignal(...signals: readonly AbortSignal[]): AbortSignal {
  const any = AbortSignal.any([...signals])
  SOURCES.set(any, signals)
  return any
}
