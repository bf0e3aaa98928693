/**
 * The room that the log reserves: groups overwrite zeros at the end of the last segment. A crash leaves these zeros, an orderly stop and a
 * sealed segment do not, and a folder on a disk without room for them accepts stores all the same.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OpenLedger } from '../../../../lib/local/ledger/open-ledger.ts'
import { bundledProgram } from '../../../support/bundled-program.ts'
import { cannotTrace } from '../../../support/system-calls.ts'
import { artifact, LogUnderTest, type Stored, storeAll } from './log-under-test.ts'

const RESERVED = { reservedBytes: 10_000 }

let log: LogUnderTest
beforeEach(async () => {
  log = await new LogUnderTest().create()
})
afterEach(() => log.remove())

const first = [artifact('v1', 30), artifact('v2', 0)]
const second = [artifact('v3', 10)]
const torn = [artifact('t1', 40), artifact('t2', 25)]

async function expectStored({ ledger }: OpenLedger, stored: readonly Stored[]) {
  for (const { entry, bytes } of stored) {
    expect(await ledger.find(entry.ref)).toEqual(entry)
    expect(ledger.storedBlob(entry)).toEqual(Buffer.from(bytes))
  }
}

/** Two whole groups and a third in a file with reserved room, and where the third begins and ends. */
async function storeGroups() {
  await log.inCrash(async (opened) => {
    await storeAll(opened, first)
    await storeAll(opened, second)
  }, RESERVED)
  const { offset: begin } = await log.end()
  await log.inCrash((opened) => storeAll(opened, torn), RESERVED)
  return { begin, end: (await log.end()).offset, bytes: log.bytes() }
}

describe('reserved room', () => {
  it('holds the next groups, and is gone after an orderly stop', async () => {
    const opened = await log.open(RESERVED)
    const size = log.size()
    expect(size).toBeGreaterThanOrEqual(10_000)
    await storeAll(opened, first)
    await storeAll(opened, second)
    expect(log.size()).toBe(size)
    await opened.close()
    const { offset } = await log.end()
    expect(log.size()).toBe(offset)
    const again = await log.open(RESERVED)
    expect(again.report).toMatchObject({ entries: 3, rebuilt: undefined, tornBytes: 0, damage: [] })
    await expectStored(again, [...first, ...second])
    await again.close()
  })

  it('is reserved again when it is used up, and a group that is larger than it is stored', async () => {
    const many = Array.from({ length: 60 }, (_, at) => artifact(`v${at}`, 500))
    const opened = await log.open({ reservedBytes: 2_000 })
    for (const each of many.slice(0, 20)) await storeAll(opened, [each])
    await storeAll(opened, many.slice(20))
    await expectStored(opened, many)
    await opened.close()
    const again = await log.open()
    expect(again.report).toMatchObject({ entries: 60, damage: [] })
    await again.close()
  })

  it('of a crash is cut off without a report, and the next group follows the last one', async () => {
    const { end } = await storeGroups()
    expect(log.size()).toBeGreaterThan(end)
    const opened = await log.open()
    expect(opened.report).toMatchObject({ tornBytes: 0, damage: [], entries: 5 })
    expect(log.size()).toBe(end)
    await storeAll(opened, [artifact('next')])
    await expectStored(opened, [...first, ...second, ...torn, artifact('next')])
    await opened.close()
  })

  it('with a group that was written up to any byte has none of it', { timeout: 60_000 }, async () => {
    const { begin, end, bytes } = await storeGroups()
    for (let written = begin; written < end; written += 1) {
      log.replace(Buffer.from(bytes).fill(0, written))
      expect(await log.end()).toEqual({ segment: 1, offset: begin, nextGroup: 3 })
      if ((written - begin) % 50 > 0) continue
      await log.inCrash(async (opened) => {
        expect(opened.report.damage).toEqual([])
        await expectStored(opened, [...first, ...second])
        for (const { entry } of torn) expect(await opened.ledger.find(entry.ref)).toBeUndefined()
        await storeAll(opened, torn)
        await expectStored(opened, torn)
      }, RESERVED)
    }
  })

  it('is not part of a sealed segment', async () => {
    const many = Array.from({ length: 12 }, (_, at) => artifact(`v${at}`))
    const options = { segmentBytes: 600, reservedBytes: 500 }
    await log.inCrash(async (opened) => {
      for (const each of many) await storeAll(opened, [each])
    }, options)
    // Refused unless each segment has the length that the next one names.
    const opened = await log.open(options)
    expect(opened.report).toMatchObject({ entries: 12, damage: [] })
    await expectStored(opened, many)
    await opened.close()
  })

  it('that something else has written after is noticed: nothing more is stored', async () => {
    const opened = await log.open(RESERVED)
    await storeAll(opened, first)
    const copy = `${log.dataDir}/copy`
    copyFileSync(log.path(), copy)
    writeFileSync(log.path(), Buffer.concat([readFileSync(copy), Buffer.from('more')]))
    await expect(storeAll(opened, second)).rejects.toMatchObject({ code: 'unavailable' })
    await opened.close()
  })
})

describe.skipIf(cannotTrace)(`a disk${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  it('that cannot reserve room accepts stores all the same', { timeout: 60_000 }, async () => {
    const { path, remove } = await bundledProgram(`
      import { LogUnderTest, artifact, storeAll } from './test/unit/local/ledger/log-under-test.ts'
      const opened = await new LogUnderTest(${JSON.stringify(log.dataDir)}).open({ reservedBytes: 10_000 })
      for (const version of ['v1', 'v2', 'v3']) await storeAll(opened, [artifact(version)])
      process.exit(0)`)
    const traced = [
      '-P',
      log.path(),
      '-e',
      'trace=%desc',
      '-e',
      'inject=pwrite64,pwritev:error=ENOSPC:when=1',
    ]
    execFileSync('strace', [...['-f', '-qq', '-o', '/dev/null', ...traced], ...[process.execPath, path]])
    await remove()
    expect(log.size()).toBe((await log.end()).offset)
    const opened = await log.open()
    expect(opened.report).toMatchObject({ entries: 3, damage: [], tornBytes: 0 })
    await opened.close()
  })
})
