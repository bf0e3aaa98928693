/** Acknowledged parts of an upload are on disk: each part before it is recorded, and the whole before it has its final name. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cannotTrace, expectInOrder, type Trace, traceProgram } from '../../support/system-calls.ts'

describe.skipIf(cannotTrace)(`an upload in parts${cannotTrace ? ` (skipped: ${cannotTrace})` : ''}`, () => {
  let dataDir: string
  let trace: Trace

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'bucket-traced-'))
    trace = await traceProgram(`
      import { writeSync } from 'node:fs'
      import { openFolder } from './lib/local/folder.ts'
      import { sendTo } from './test/support/endpoint-request.ts'
      import { blobOf, someBytes } from './test/support/fake-artifacts.ts'
      const folder = await openFolder(${JSON.stringify(dataDir)})
      const bytes = someBytes(100_000)
      const id = blobOf('b/a/v', bytes)
      writeSync(1, 'begin')
      const stagingId = await folder.staging.begin(id, 'attempt', bytes.byteLength)
      writeSync(1, 'begun')
      const upload = { id, attempt: 'attempt', stagingId, size: bytes.byteLength }
      const part = { number: 1, size: bytes.byteLength, sha256: id.digest.slice('sha256:'.length) }
      const request = await folder.staging.presignPart(upload, 1, part.size, part.sha256, 60)
      const answer = await sendTo(folder.blobEndpoint, request.url, { ...request, body: bytes })
      writeSync(1, 'answer ' + answer.status)
      await folder.staging.complete(upload, [part])
      writeSync(1, 'complete')
      const promotion = await (await folder.staging.open(upload)).promote(id)
      await promotion.publish()
      writeSync(1, 'published')
      await folder.close()`)
  }, 60_000)
  afterAll(() => rm(dataDir, { recursive: true }))

  const mark = (word: string) => trace.one(new RegExp(`^write\\(1.*"${word}"`))
  /** The writes that make rows visible; their descriptor writes through to the disk. */
  const rowsBetween = (from: string, to: string) =>
    trace
      .find(/^pwrite64\(\d+<[^>]*\/uploads\.mdb>/)
      .filter(({ begin, end }) => begin > mark(from).end && end < mark(to).begin)
  const first = <T>(all: readonly T[]): T => all[0] ?? expect.fail('no row was written')

  it('has its file and its directory entry on disk before its row is written', () => {
    const file = trace.one(/^openat\(.*\/staging\/.*O_CREAT/)
    expectInOrder(
      file,
      first(
        trace.find(/^fsync\(\d+<[^>]*\/staging\/[^>]+>/).filter(({ begin }) => begin < mark('begun').begin),
      ),
      trace.one(/^fsync\(\d+<[^>]*\/staging>/),
      first(rowsBetween('begin', 'begun')),
    )
  })

  it('has the bytes of a part on disk before the part is recorded, and recorded before the response', () => {
    const writes = trace.find(/^(pwritev|pwrite64)\(\d+<[^>]*\/staging\//)
    const sync = trace.one(/^fdatasync\(\d+<[^>]*\/staging\//)
    const rows = rowsBetween('begun', 'answer 200')
    for (const write of writes) expectInOrder(write, sync)
    expectInOrder(sync, first(rows))
    for (const row of rows) expectInOrder(row, mark('answer 200'))
  })

  it('has all bytes on disk before they get their final name, and the name before publish succeeds', () => {
    const seal = trace
      .find(/^fsync\(\d+<[^>]*\/staging\/[^>]+>/)
      .filter(({ begin }) => begin > mark('complete').begin)
    expectInOrder(
      first(rowsBetween('answer 200', 'complete')),
      mark('complete'),
      first(seal),
      trace.one(/^rename\(.*\/staging\/.*\/blobs\/b\/a\/v@/),
      trace.one(/^fsync\(\d+<[^>]*\/blobs\/b\/a>/),
      mark('published'),
    )
  })
})
