/**
 * Acknowledged artifacts are on disk: the order of the system calls of one store, as the kernel saw them. The crash of a process cannot
 * show a missing sync; only this trace or a power cut can.
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
      await folder.blobs.write(entry, inChunks(someBytes(20_000), 20_000), { size: 20_000, description: entry, signal: undefined })
      writeSync(1, 'written')
      await folder.ledger.append(entry, 'commit')
      writeSync(1, 'appended')
      await folder.close()`)
  }, 60_000)
  afterAll(() => rm(dataDir, { recursive: true }))

  const one = (pattern: RegExp) => trace.one(pattern)
  const first = (pattern: RegExp) => {
    const [call] = trace.find(pattern)
    if (!call) throw new Error(`no system call ${pattern}`)
    return call
  }

  it('syncs the bytes before they get their final name, and the name before the write succeeds', () => {
    const { digest } = blobOf('b/a/v', someBytes(20_000))
    expectInOrder(
      one(/^(write|writev)\(\d+<[^>]*\/tmp\/0>/),
      one(/^fdatasync\(\d+<[^>]*\/tmp\/0>/),
      one(new RegExp(`^rename\\(.*/tmp/0".*/blobs/b/a/v@${digest.slice(7)}"`)),
      one(/^fsync\(\d+<[^>]*\/blobs\/b\/a>/),
      one(/^write\(1.*"written"/),
    )
  })

  it('syncs each new folder into its parent before the bytes get their final name', () => {
    expectInOrder(
      one(/^mkdir\(.*\/blobs\/b"/),
      // The stop of the store syncs the folder again.
      first(/^fsync\(\d+<[^>]*\/blobs>/),
      one(/^mkdir\(.*\/blobs\/b\/a"/),
      one(/^fsync\(\d+<[^>]*\/blobs\/b>/),
      one(/^write\(1.*"written"/),
    )
  })

  it('syncs the record of the entry, appended with one write, before the append succeeds', () => {
    expectInOrder(
      one(/^write\(1.*"written"/),
      one(/^(pwrite64|pwritev)\(\d+<[^>]*\/ledger\/00000001\.log>/),
      one(/^fdatasync\(\d+<[^>]*\/ledger\/00000001\.log>/),
      one(/^write\(1.*"appended"/),
    )
  })
})

describe.skipIf(cannotTrace)(`a small store${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  it('is one write and one sync before the append succeeds', { timeout: 60_000 }, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'bucket-traced-'))
    const trace = await traceProgram(`
      import { writeSync } from 'node:fs'
      import { openFolder } from './lib/local/folder.ts'
      import { entryOf, inChunks, someBytes } from './test/support/fake-artifacts.ts'
      const folder = await openFolder(${JSON.stringify(dataDir)})
      const entry = entryOf('b/a/v', someBytes(1_000))
      writeSync(1, 'begin')
      await folder.blobs.write(entry, inChunks(someBytes(1_000), 1_000), { size: 1_000, description: entry, signal: undefined })
      await folder.ledger.append(entry, 'commit')
      writeSync(1, 'appended')
      await folder.close()`)
    await rm(dataDir, { recursive: true })
    const appended = trace.one(/^write\(1.*"appended"/)
    const calls = trace
      .find(/^(p?writev?|pwrite64|fdatasync|fsync|rename|mkdir)\(/)
      .filter(({ text, begin }) => begin < appended.begin && !text.includes('"begin"'))
      // Threads of Node wake each other through pipes.
      .filter(({ text }) => !/<(pipe|anon_inode)/.test(text))
    expect(calls.map(({ text }) => /^(\w+)\(\d+<[^>]*?([^/>]*)>/.exec(text)?.slice(1))).toEqual([
      [expect.stringMatching(/^pwrite/), '00000001.log'],
      ['fdatasync', '00000001.log'],
    ])
    expectInOrder(...calls, appended)
  })
})
