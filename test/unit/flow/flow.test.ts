/** Waits, retries and concurrency that every layer builds on: each has a bound and leaves nothing behind. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { anySignal, raceAbort, sleep, within } from '../../../lib/flow/abort.ts'
import { abortableIterable } from '../../../lib/flow/abortable-iterable.ts'
import { retry } from '../../../lib/flow/retry.ts'
import { runAtOnce } from '../../../lib/flow/run-at-once.ts'
import { Semaphore } from '../../../lib/flow/semaphore.ts'
import { collectGarbage } from '../../support/garbage.ts'

const never = <T>() => new Promise<T>(() => undefined)
const stopped = new Error('the time is over')

/** A controller, and how many listeners its signal has. */
function aborting() {
  const controller = new AbortController()
  return {
    controller,
    signal: controller.signal,
    listeners: () => getEventListeners(controller.signal, 'abort').length,
  }
}

describe('raceAbort', () => {
  it('rejects with the reason as soon as the signal aborts, though the step hangs', async () => {
    const { controller, signal, listeners } = aborting()
    const waiting = raceAbort(() => never(), signal)
    controller.abort(stopped)
    await expect(waiting).rejects.toBe(stopped)
    expect(listeners()).toBe(0)
  })

  it('does not run the step once the signal has aborted', async () => {
    const step = () => expect.unreachable('the step ran') as Promise<void>
    await expect(raceAbort(step, AbortSignal.abort(stopped))).rejects.toBe(stopped)
  })

  it('leaves no listener after the step', async () => {
    const { signal, listeners } = aborting()
    expect(await raceAbort(async () => 1, signal)).toBe(1)
    await expect(raceAbort(() => Promise.reject(stopped), signal)).rejects.toBe(stopped)
    await sleep(0)
    expect(listeners()).toBe(0)
  })
})

describe('anySignal', () => {
  it('aborts with the first of the others', () => {
    const { controller, signal } = aborting()
    const any = anySignal(new AbortController().signal, signal)
    expect(any.aborted).toBe(false)
    controller.abort(stopped)
    expect(any.reason).toBe(stopped)
    expect(anySignal(signal).reason).toBe(stopped)
  })

  it('aborts after a time limit to which nothing else refers', async () => {
    const any = anySignal(AbortSignal.timeout(50), new AbortController().signal)
    const aborted = new Promise((resolve) => any.addEventListener('abort', resolve, { once: true }))
    const collecting = setInterval(collectGarbage, 5)
    await aborted
    clearInterval(collecting)
    expect(any.reason).toMatchObject({ name: 'TimeoutError' })
  })
})

describe('sleep', () => {
  it('ends early when the signal aborts', async () => {
    const { controller, signal } = aborting()
    const sleeping = sleep(3_600_000, signal)
    controller.abort(stopped)
    await expect(sleeping).rejects.toBe(stopped)
  })
})

describe('a wait without a limit', () => {
  it('outlasts any other', async () => {
    const { controller, signal } = aborting()
    const sleeping = sleep(Number.POSITIVE_INFINITY, signal)
    const other = sleep(20).then(() => 'the other')
    expect(await Promise.race([sleeping, other])).toBe('the other')
    controller.abort(stopped)
    await expect(sleeping).rejects.toBe(stopped)
    expect(await within(Number.POSITIVE_INFINITY, sleep(20), () => stopped)).toBeUndefined()
  })
})

describe('within', () => {
  it('rejects a wait that takes too long, and passes on one that does not', async () => {
    await expect(within(1, never(), () => stopped)).rejects.toBe(stopped)
    expect(await within(3_600_000, Promise.resolve(1), () => stopped)).toBe(1)
  })
})

describe('an abortable iterable', () => {
  /** Counts from 1, and notes whether it was closed; hangs after `last`. */
  function counting(last: number) {
    const source = { isClosed: false, numbers }
    async function* numbers() {
      try {
        for (let number = 1; number <= last; number += 1) yield number
        await never()
      } finally {
        source.isClosed = true
      }
    }
    return source
  }

  it('passes on every value, the end and the failure of its source', async () => {
    async function* source() {
      yield 1
      yield 2
      throw stopped
    }
    const seen: number[] = []
    const reading = (async () => {
      for await (const number of abortableIterable(source(), undefined)) seen.push(number)
    })()
    await expect(reading).rejects.toBe(stopped)
    expect(seen).toEqual([1, 2])
  })

  it('rejects with the reason while its source hangs, and leaves no listener', async () => {
    const { controller, signal, listeners } = aborting()
    const stream = abortableIterable(counting(1).numbers(), signal)
    expect(await stream.next()).toEqual({ done: false, value: 1 })
    const waiting = stream.next()
    controller.abort(stopped)
    await expect(waiting).rejects.toBe(stopped)
    expect([listeners(), await stream.next()]).toEqual([0, { done: true, value: undefined }])
  })

  it('closes its source before a reader that stops early continues', async () => {
    const source = counting(3)
    for await (const _ of abortableIterable(source.numbers(), undefined)) break
    expect(source.isClosed).toBe(true)
  })

  it('does not wait for a hanging source when it is closed', async () => {
    const stream = abortableIterable(counting(0).numbers(), undefined)
    void stream.next()
    expect(await stream.return?.()).toEqual({ done: true, value: undefined })
  })
})

describe('retry', () => {
  const failing = (times: number) => {
    let calls = 0
    return async () => {
      calls += 1
      if (calls <= times) throw new Error(`failure ${calls}`)
      return calls
    }
  }

  it('repeats until an attempt succeeds, asking for each delay by the number of failures', async () => {
    const asked: [string, number][] = []
    const delayAfter = (error: unknown, failures: number) => {
      asked.push([(error as Error).message, failures])
      return 0
    }
    expect(await retry(failing(2), delayAfter)).toBe(3)
    expect(asked).toEqual([
      ['failure 1', 1],
      ['failure 2', 2],
    ])
  })

  it('throws the last error after the last attempt', async () => {
    const delayAfter = (_: unknown, failures: number) => (failures < 2 ? 0 : undefined)
    await expect(retry(failing(9), delayAfter)).rejects.toThrow('failure 2')
  })

  it('ends a delay when the signal aborts', async () => {
    const { controller, signal } = aborting()
    const retrying = retry(failing(9), () => 3_600_000, signal)
    controller.abort(stopped)
    await expect(retrying).rejects.toBe(stopped)
  })
})

/** Tasks that end when the test says so, and the most that ran at once. */
function tasks() {
  const ends: (() => void)[] = []
  let running = 0
  const seen = { most: 0 }
  const task = async () => {
    running += 1
    seen.most = Math.max(seen.most, running)
    await new Promise<void>((resolve) => ends.push(resolve))
    running -= 1
  }
  return { task, ends, seen }
}

describe('a semaphore', () => {
  it('runs as many tasks at once as it has places, and all of them', async () => {
    const { task, ends, seen } = tasks()
    const semaphore = new Semaphore(2)
    const all = Promise.all(Array.from({ length: 5 }, () => semaphore.run(undefined, task)))
    for (let ended = 0; ended < 5; ended++) {
      await expect.poll(() => ends.length).toBeGreaterThan(ended)
      ends[ended]?.()
    }
    await all
    expect(seen.most).toBe(2)
  })

  it('gives the place of a task that failed to the next one', async () => {
    const semaphore = new Semaphore(1)
    await expect(semaphore.run(undefined, () => Promise.reject(stopped))).rejects.toBe(stopped)
    expect(await semaphore.run(undefined, async () => 'next')).toBe('next')
  })
})

describe('work at once', () => {
  it('is stopped by its first failure, which it throws after all of it has ended', async () => {
    const stoppedEarly: boolean[] = []
    const work = async (item: number, signal: AbortSignal) => {
      if (item === 0) throw stopped
      await sleep(1_000, signal).catch(() => undefined)
      stoppedEarly.push(signal.aborted)
    }
    await expect(runAtOnce([1, 2, 0, 3], { limit: 3 }, undefined, work)).rejects.toBe(stopped)
    expect(stoppedEarly).toEqual([true, true])
  })
})
