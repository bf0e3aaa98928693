/**
 * What is acknowledged is on disk: the order of the system calls of one store, as the kernel saw them.
 * No crash of a process can show a missing sync; only this can, short of pulling the plug.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blobOf, someBytes } from '../../support/fake-artifacts.ts'
import { cannotTrace, expectInOrder, type Trace, traceProgram } from '../../support/system-calls.ts'

describe.skipIf(cannotTrace)(`one store${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  let dataDir: string
  let trace: Trace

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'bucket-traced-'))
    trace = await traceProgram(`
      import { writeSync } from 'node:fs'
      import { openFolder } from './lib/local/folder.ts'
      import { entryOf, inChunks, someBytes } from './test/support/fake-artifacts.ts'
      const folder = await openFolder(${JSON.stringify(dataDir)})
      const entry = entryOf('b/a/v', someBytes(20_000))
      writeSync(1, 'begin')
      await folder.blobs.write(entry, inChunks(someBytes(20_000), 20_000), { size: 20_000, contentType: 'x', signal: undefined })
      writeSync(1, 'written')
      await folder.ledger.append(entry, 'commit')
      writeSync(1, 'appended')
      await folder.close()`)
  }, 60_000)
  afterAll(() => rm(dataDir, { recursive: true }))

  const one = (pattern: RegExp) => trace.one(pattern)

  it('syncs the bytes before they get their final name, and the name before it says written', () => {
    const { digest } = blobOf('b/a/v', someBytes(20_000))
    expectInOrder(
      one(/^(write|writev)\(\d+<[^>]*\/tmp\/0>/),
      one(/^fdatasync\(\d+<[^>]*\/tmp\/0>/),
      one(new RegExp(`^rename\\(.*/tmp/0".*/blobs/b/a/v@${digest.slice(7)}"`)),
      one(/^fsync\(\d+<[^>]*\/blobs\/b\/a>/),
      one(/^write\(1.*"written"/),
    )
  })

  it('syncs each new folder into its parent before the name of the bytes counts', () => {
    expectInOrder(
      one(/^mkdir\(.*\/blobs\/b"/),
      one(/^fsync\(\d+<[^>]*\/blobs>/),
      one(/^mkdir\(.*\/blobs\/b\/a"/),
      one(/^fsync\(\d+<[^>]*\/blobs\/b>/),
      one(/^write\(1.*"written"/),
    )
  })

  it('syncs the row, then what makes it visible, before it says appended', () => {
    const written = one(/^write\(1.*"written"/)
    const appended = one(/^write\(1.*"appended"/)
    const ledger = trace
      .find(/^(pwrite64|pwritev|write|writev|fdatasync)\(\d+<[^>]*ledger\.mdb>/)
      .filter(({ begin }) => begin > written.begin && begin < appended.begin)
    const sync = ledger.findIndex(({ text }) => text.startsWith('fdatasync'))
    expect(sync).toBeGreaterThan(0)
    // Whole pages only: what makes a row visible is a shorter write into the first pages, and must not come before the sync.
    for (const { text } of ledger.slice(0, sync))
      expect(Number(text.match(/= (\d+)$/)?.[1]) % 4096, text).toBe(0)
    // The last write makes the row visible; its descriptor writes through to the disk.
    const [visible] = ledger.slice(-1)
    expect(visible?.text).toMatch(/^pwrite64/)
    expectInOrder(...ledger.slice(0, sync + 1).slice(-1), ...(visible ? [visible] : []), appended)
    const through = trace.calls.find(({ text }) => /^openat\(.*ledger\.mdb", [^)]*O_DSYNC/.test(text))
    expect(through?.text.match(/= (\d+)</)?.[1]).toBe(visible?.text.match(/^pwrite64\((\d+)</)?.[1])
  })
})
