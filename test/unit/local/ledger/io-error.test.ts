/**
 * A disk that fails while the ledger is written: the store is refused and absent, and the next one works. strace makes the system calls
 * fail.
 */
import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bundledProgram } from '../../../support/bundled-program.ts'
import { cannotTrace } from '../../../support/system-calls.ts'
import { artifact, LogUnderTest } from './log-under-test.ts'

let log: LogUnderTest
beforeEach(async () => {
  log = await new LogUnderTest().create()
})
afterEach(() => log.remove())

/**
 * Appends five versions, one after the other, while system calls on the segment fail.
 *
 * @param quickSyncMs 0 to sync on another thread, Infinity to sync on the main thread.
 * @returns the outcome of each.
 */
async function appendFive(quickSyncMs: number, ...failures: readonly string[]): Promise<string[]> {
  const program = `
    import { LogUnderTest, artifact, storeAll } from './test/unit/local/ledger/log-under-test.ts'
    const opened = await new LogUnderTest(${JSON.stringify(log.dataDir)}).open({ quickSyncMs: ${quickSyncMs} })
    for (const version of ['v0', 'v1', 'v2', 'v3', 'v4'])
      await storeAll(opened, [artifact(version)]).then(() => console.log('stored'), ({ code }) => console.log(code))
    process.exit(0)`
  const { path, remove } = await bundledProgram(program)
  const injected = failures.flatMap((failure) => ['-e', `inject=${failure}`])
  const output = execFileSync(
    'strace',
    [
      ...['-f', '-qq', '-o', '/dev/null', '-P', log.path(), '-e', 'trace=%desc', ...injected],
      ...[process.execPath, path],
    ],
    // One thread, so that the n-th call of a kind is the n-th call of the process.
    { env: { ...process.env, UV_THREADPOOL_SIZE: '1' }, encoding: 'utf8' },
  )
  await remove()
  return output.trim().split('\n')
}

async function expectOnly(versions: readonly string[]) {
  const { ledger, report, close } = await log.open()
  expect(report.damage).toEqual([])
  for (const version of ['v0', 'v1', 'v2', 'v3', 'v4']) {
    const found = await ledger.find(artifact(version).entry.ref)
    expect(found !== undefined, version).toBe(versions.includes(version))
  }
  await close()
}

const threads = [
  // `second` is the number of the sync of v1 in its thread. Opening syncs the log on another thread.
  { thread: 'the main thread', quickSyncMs: Number.POSITIVE_INFINITY, second: 2 },
  { thread: 'another thread', quickSyncMs: 0, second: 3 },
]

describe.skipIf(cannotTrace)(`the ledger${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  describe.each(threads)('with syncs on $thread', ({ quickSyncMs, second }) => {
    it('refuses a group whose sync failed, cuts it off, and accepts the next', {
      timeout: 60_000,
    }, async () => {
      expect(await appendFive(quickSyncMs, `fdatasync:error=EIO:when=${second}`)).toEqual([
        ...['stored', 'unavailable', 'stored', 'stored', 'stored'],
      ])
      await expectOnly(['v0', 'v2', 'v3', 'v4'])
    })

    it('refuses everything until it has cut off a failed group', { timeout: 60_000 }, async () => {
      const outcomes = await appendFive(
        quickSyncMs,
        `fdatasync:error=EIO:when=${second}`,
        'ftruncate:error=EIO:when=1..2',
      )
      expect(outcomes).toEqual(['stored', 'unavailable', 'unavailable', 'stored', 'stored'])
      await expectOnly(['v0', 'v3', 'v4'])
    })
  })

  it('refuses a group whose write failed, with the system error', { timeout: 60_000 }, async () => {
    const outcomes = await appendFive(0, 'pwrite64,pwritev:error=ENOSPC:when=2')
    expect(outcomes).toEqual(['stored', 'insufficient_storage', 'stored', 'stored', 'stored'])
    await expectOnly(['v0', 'v2', 'v3', 'v4'])
  })
})
