/** A download that has its name is on disk: the order of its system calls, which no crash of a process can show. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { cannotTrace, expectInOrder, traceProgram } from '../../support/system-calls.ts'

describe.skipIf(cannotTrace)(`a download${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  it('syncs the bytes before the rename, and the folder after it', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bucket-traced-'))
    const trace = await traceProgram(`
      import { writeSync } from 'node:fs'
      import { BucketClient } from './lib/client/node.ts'
      import { startFront } from './test/support/client-front.ts'
      const front = await startFront()
      front.put('b/a/v', Buffer.alloc(100_000, 'x'))
      const bucket = new BucketClient({ url: front.url })
      writeSync(1, 'begin')
      await bucket.download('b/a/v', ${JSON.stringify(join(folder, 'model'))})
      writeSync(1, 'done')
      await front.close()`)
    await rm(folder, { recursive: true })
    const renamed = trace.one(/^rename\(.*\/model"/)
    const [synced] = trace.find(/^fsync\(\d+<[^>]*bucket-partial/)
    if (!synced) throw new Error('the partial file is never synced')
    const [named] = trace.find(/^fsync\(/).filter(({ begin }) => begin > renamed.begin)
    if (!named) throw new Error('the folder is never synced after the rename')
    expectInOrder(synced, renamed, named, trace.one(/^write\(1.*"done"/))
  })
})
