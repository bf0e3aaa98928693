/** Bounds how many tasks run at once; the others wait in their order. */
export class Semaphore {
  #free: number
  readonly #waiting: (() => void)[] = []

  /** @param count tasks at once, at least 1. */
  constructor(count: number) {
    this.#free = count
  }

  /** Runs a task as soon as fewer than `count` are running. @throws what the task throws; the reason of `signal`, also while it waits. */
  async run<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
    await this.#enter(signal)
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(signal?.reason)
      }
      this.#waiting.push(enter)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
}
