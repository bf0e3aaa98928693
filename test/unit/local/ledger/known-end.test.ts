/** The known end of the log: it follows the stores of a running server, so that a ledger that loses them later is noticed. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { readKnownEnd } from '../../../../lib/local/ledger/known-end.ts'
import { artifact, LogUnderTest, STORE_ID, storeAll } from './log-under-test.ts'

let log: LogUnderTest
beforeEach(async () => {
  log = await new LogUnderTest().create()
  mkdirSync(join(log.dataDir, 'blobs'))
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
  log.remove()
})

const known = () => readKnownEnd(log.dataDir, STORE_ID)?.offset

it('is written after a second without a store, and a log that a crash cut back further is refused', async () => {
  await log.inCrash(async (opened) => {
    const first = known()
    await storeAll(opened, [artifact('v1')])
    vi.advanceTimersByTime(1_000)
    expect(known()).toBe(first)
    vi.advanceTimersByTime(1_000)
    await expect.poll(known).toBe(log.size())
    truncateSync(log.path(), first)
  })
  await expect(log.open()).rejects.toThrow('the ledger is older than the folder')
})

it('is written every ten seconds while stores go on', async () => {
  const opened = await log.open()
  const first = known()
  for (let second = 1; second <= 10; second += 1) {
    expect(known()).toBe(first)
    await storeAll(opened, [artifact(`v${second}`)])
    vi.advanceTimersByTime(1_000)
  }
  await expect.poll(known).toBe(log.size())
  await opened.close()
})

it('is not reached by the room that an older log has reserved', async () => {
  const older = await log.inCrash(
    async (opened) => {
      await storeAll(opened, [artifact('v1')])
      return log.bytes()
    },
    { reservedBytes: 4096 },
  )
  const opened = await log.open()
  await storeAll(opened, [artifact('v2')])
  await opened.close()
  log.forgetIndex()
  expect(older.length).toBeGreaterThan(log.size())
  log.replace(older)
  await expect(log.open()).rejects.toThrow('the ledger is older than the folder')
})

it('is not written by a server whose folder was replaced', async () => {
  const isInPlace = { yes: true }
  const assertFolderInPlace = () => {
    if (!isInPlace.yes) throw new Error('another folder')
  }
  const opened = await log.open({ assertFolderInPlace })
  await storeAll(opened, [artifact('v1')])
  const before = known()
  isInPlace.yes = false
  vi.advanceTimersByTime(10_000)
  await opened.close()
  expect(known()).toBe(before)
})

it('proves nothing when it is damaged, missing, or of another store', async () => {
  await log.inCrash((opened) => storeAll(opened, [artifact('v1')]))
  const path = join(log.dataDir, 'blobs', '.ledger-end')
  for (const content of [undefined, '', '{}\n', `{"storeId":"${STORE_ID}","segment":9,"offset":1}\nabc\n`]) {
    rmSync(path, { force: true })
    if (content !== undefined) writeFileSync(path, content)
    const opened = await log.open()
    expect(opened.report).toMatchObject({ entries: 1, damage: [] })
    await opened.close()
    log.forgetIndex()
  }
})
