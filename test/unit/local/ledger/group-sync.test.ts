/**
 * On which thread a group is made durable: a slow disk must not stop other requests. strace makes the disk slow, and shows the threads.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bundledProgram } from '../../../support/bundled-program.ts'
import { cannotTrace } from '../../../support/system-calls.ts'
import { LogUnderTest } from './log-under-test.ts'

let log: LogUnderTest
beforeEach(async () => {
  log = await new LogUnderTest().create()
})
afterEach(() => log.remove())

/** Appends four versions, one after the other. @returns the thread on which each was synced. */
async function threadsOfFour(quickSyncMs: string, ...injected: readonly string[]): Promise<string[]> {
  const { path, folder, remove } = await bundledProgram(`
    import { LogUnderTest, artifact, storeAll } from './test/unit/local/ledger/log-under-test.ts'
    const opened = await new LogUnderTest(${JSON.stringify(log.dataDir)}).open({ quickSyncMs: ${quickSyncMs} })
    process.stdout.write(String(process.pid))
    for (const version of ['v0', 'v1', 'v2', 'v3']) await storeAll(opened, [artifact(version)])
    process.exit(0)`)
  const trace = join(folder, 'trace')
  const main = execFileSync(
    'strace',
    [
      ...['-f', '-qq', '-o', trace, '-P', log.path(), '-e', 'trace=pwrite64,pwritev,fdatasync', ...injected],
      ...[process.execPath, path],
    ],
    { encoding: 'utf8' },
  )
  const calls = readFileSync(trace, 'utf8').split('\n')
  await remove()
  return calls
    .slice(calls.findIndex((line) => line.includes('pwrite')))
    .filter((line) => line.includes('fdatasync('))
    .map((line) => (line.startsWith(`${main} `) ? 'main' : 'another'))
}

describe.skipIf(cannotTrace)(`the sync of a group${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  it('runs on the main thread while the disk is quick', { timeout: 60_000 }, async () => {
    expect(await threadsOfFour('Infinity')).toEqual(['main', 'main', 'main', 'main'])
  })

  it('runs on another thread once the disk was slow', { timeout: 60_000 }, async () => {
    const slow = ['-e', 'inject=fdatasync:delay_enter=500000']
    expect(await threadsOfFour('undefined', ...slow)).toEqual(['main', 'another', 'another', 'another'])
  })
})
