import { describe, expect, it } from 'vitest'
import { AdaptiveConcurrency } from '../../../lib/client/transfer/adaptive-concurrency.ts'
import { MIB } from '../../../lib/domain/limits.ts'
import { runAtOnce } from '../../../lib/flow/run-at-once.ts'

/** A line on which each transfer has a speed of its own up to a common limit, in bytes per millisecond. */
function line(own: number, common: number) {
  let now = 0
  const concurrency = new AdaptiveConcurrency(() => now)
  /** All transfers that may run end together. */
  const round = () => {
    const count = concurrency.limit
    const rate = Math.min(count * own, common)
    now += (count * 16 * MIB) / rate
    for (let transfer = 0; transfer < count; transfer++) concurrency.succeeded(16 * MIB)
  }
  const pass = (ms: number) => {
    now += ms
  }
  return { concurrency, round, pass }
}

describe('the number of concurrent transfers', () => {
  it('grows up to a bound while throughput increases', () => {
    const fast = line(50_000, Number.POSITIVE_INFINITY)
    for (let rounds = 0; rounds < 50; rounds++) fast.round()
    expect(fast.concurrency.limit).toBeGreaterThan(10)
    expect(fast.concurrency.limit).toBeLessThanOrEqual(16)
  })

  it('stays low on a saturated connection', () => {
    const full = line(50_000, 60_000)
    for (let rounds = 0; rounds < 50; rounds++) full.round()
    expect(full.concurrency.limit).toBeLessThanOrEqual(4)
  })

  it('halves once for failures that come together, and never reaches zero', () => {
    const { concurrency, round, pass } = line(50_000, Number.POSITIVE_INFINITY)
    for (let rounds = 0; rounds < 8; rounds++) round()
    const before = concurrency.limit
    const began = concurrency.began()
    pass(1)
    for (let failures = 0; failures < 5; failures++) concurrency.failed(began)
    expect(concurrency.limit).toBe(Math.floor(before / 2))
    for (let failures = 0; failures < 20; failures++) {
      pass(1)
      concurrency.failed(concurrency.began())
    }
    expect(concurrency.limit).toBe(1)
    for (let rounds = 0; rounds < 20; rounds++) round()
    expect(concurrency.limit).toBeGreaterThan(before)
  })
})

describe('concurrent transfers', () => {
  it('never exceed the limit, and all complete', async () => {
    const concurrency = new AdaptiveConcurrency()
    const done: number[] = []
    let running = 0
    let most = 0
    await runAtOnce([1, 2, 3, 4, 5, 6, 7], concurrency, undefined, async (item) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      done.push(item)
    })
    expect(done).toHaveLength(7)
    expect(most).toBe(3)
  })

  it('all stop when one fails, before the failure is reported', async () => {
    const ended: number[] = []
    const working = runAtOnce([1, 2, 3, 4], new AdaptiveConcurrency(), undefined, async (item, signal) => {
      if (item === 2) throw new Error('broken')
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      ended.push(item)
      signal.throwIfAborted()
    })
    await expect(working).rejects.toThrow('broken')
    expect(ended).toEqual([1, 3])
  })
})
