/**
 * The states of the ledger that a power cut can leave: a torn group is cut off, no matter which of its pages reached the disk,
 * and all earlier entries are kept.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OpenLedger } from '../../../../lib/local/ledger/open-ledger.ts'
import { artifact, LogUnderTest, type Stored, storeAll } from './log-under-test.ts'

let log: LogUnderTest
beforeEach(async () => {
  log = await new LogUnderTest().create()
})
afterEach(() => log.remove())

const first = [artifact('v1', 30), artifact('v2', 0)]
const second = [artifact('v3', 10)]
const torn = [artifact('t1', 40), artifact('t2', 25), artifact('t3', 1)]

async function expectStored({ ledger }: OpenLedger, stored: readonly Stored[]) {
  for (const { entry, bytes } of stored) {
    expect(await ledger.find(entry.ref)).toEqual(entry)
    expect(ledger.storedBlob(entry)).toEqual(Buffer.from(bytes))
  }
  const [one] = stored
  if (one) expect((await ledger.list(one.entry.ref, undefined, 100)).entries).toHaveLength(stored.length)
}

/** How many bytes were written for certain: zeros at the end may be room that was reserved. */
const unfinished = (bytes: Buffer) => bytes.findLastIndex((byte) => byte !== 0) + 1

/** Two whole groups, and the place where the third begins. */
async function storeGroups(): Promise<{ begin: number; bytes: Buffer }> {
  const begin = await log.inCrash(async (opened) => {
    await storeAll(opened, first)
    await storeAll(opened, second)
    const begin = log.size()
    await storeAll(opened, torn)
    return begin
  })
  return { begin, bytes: log.bytes() }
}

describe('after a crash', () => {
  it('a group whose write was cut short at any byte is cut off, and the next group follows the last whole one', {
    timeout: 60_000,
  }, async () => {
    const { begin, bytes } = await storeGroups()
    for (let size = begin; size < bytes.length; size += 1) {
      log.replace(bytes.subarray(0, size))
      expect(await log.end()).toEqual({ segment: 1, offset: begin, nextGroup: 3 })
      if ((size - begin) % 20 > 0) continue
      await log.inCrash(async (opened) => {
        expect(opened.report.damage).toEqual([])
        expect(opened.report.tornBytes).toBe(unfinished(bytes.subarray(begin, size)))
        await expectStored(opened, [...first, ...second])
        for (const { entry } of torn) expect(await opened.ledger.find(entry.ref)).toBeUndefined()
        await storeAll(opened, torn)
      })
      const again = await log.open()
      await expectStored(again, [...first, ...second, ...torn])
      expect(again.report).toMatchObject({ tornBytes: 0, damage: [], entries: 6 })
      await again.close()
      log.forgetIndex()
    }
  })

  it('a group with any missing bytes is cut off, even if later bytes reached the disk', {
    timeout: 60_000,
  }, async () => {
    const { begin, bytes } = await storeGroups()
    for (let from = begin; from < bytes.length; from += 8) {
      for (const length of [16, 80, 200]) {
        const left = Buffer.from(bytes).fill(0, from, Math.min(from + length, bytes.length))
        log.replace(left)
        expect(await log.end()).toEqual({ segment: 1, offset: begin, nextGroup: 3 })
        if (from % 5 > 0) continue
        await log.inCrash(async (opened) => {
          expect(opened.report.damage, `${from} ${length}`).toEqual([])
          expect(opened.report.tornBytes).toBe(unfinished(left.subarray(begin)))
          await expectStored(opened, [...first, ...second])
          for (const { entry } of torn) expect(await opened.ledger.find(entry.ref)).toBeUndefined()
        })
      }
    }
  })

  it('room that was reserved and not written is cut off, and is not reported', async () => {
    const { bytes } = await storeGroups()
    log.replace(Buffer.concat([bytes, Buffer.alloc(10_000)]))
    const opened = await log.open()
    expect(opened.report).toMatchObject({ tornBytes: 0, damage: [] })
    expect(log.size()).toBe(bytes.length)
    await expectStored(opened, [...first, ...second, ...torn])
    await opened.close()
  })

  it('a group that was written and not acknowledged is complete', async () => {
    await storeGroups()
    const opened = await log.open()
    expect(opened.report.tornBytes).toBe(0)
    await expectStored(opened, [...first, ...second, ...torn])
    await opened.close()
  })

  it('the same commit again is the same append', async () => {
    await storeGroups()
    const opened = await log.open()
    const results = await storeAll(opened, torn)
    expect(results).toEqual(torn.map(({ entry }) => ({ appended: true, entry })))
    await opened.close()
  })
})

describe('record bytes inside of a blob', () => {
  it('are never read as a record, even if the bytes around them are damaged', async () => {
    const copied = await log.inCrash(async (opened) => {
      await storeAll(opened, first)
      return log.bytes().subarray(128)
    })
    // A user stores the bytes of genuine records as a blob, and then the record around them is damaged.
    const { entry } = artifact('forged', copied.length)
    await log.inCrash(async (opened) => {
      opened.held.hold(entry, copied)
      await opened.ledger.append(entry, 'forged')
      await storeAll(opened, second)
    })
    const bytes = log.bytes()
    const inner = bytes.indexOf(copied, 128 + copied.length)
    expect(inner).toBeGreaterThan(0)
    log.replace(bytes.fill(0xff, inner - 60, inner))
    const opened = await log.open()
    expect(opened.report.damage).toMatchObject([{ part: 'record' }])
    expect(opened.report.entries).toBe(3)
    await opened.close()
  })
})
