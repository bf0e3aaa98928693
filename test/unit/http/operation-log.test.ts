/** Lines of the operation log have the names of docs/operations.md, however the records are named in the code. */
import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MIB } from '../../../lib/domain/limits.ts'
import { repeatedLine } from '../../../lib/http/logged-body.ts'
import { encodeRecord, jsonLines } from '../../../lib/http/operation-log.ts'
import type { OperationRecord } from '../../../lib/http/request-context.ts'
import { anyCharacter } from '../../support/any-character.ts'

describe('a record of the operation log', () => {
  it('has its members in snake_case in its line, nested ones too', () => {
    const record = {
      requestId: 'r',
      bytesSent: 3,
      indexRebuilt: { records: 9, recordsPerSecond: 4.5 },
      aborted: true,
      code: 'version_exists',
      rootFolders: ['/a', '/b'],
    }
    expect(encodeRecord(record)).toEqual({
      request_id: 'r',
      bytes_sent: 3,
      index_rebuilt: { records: 9, records_per_second: 4.5 },
      aborted: true,
      code: 'version_exists',
      root_folders: ['/a', '/b'],
    })
  })
})

describe('a line', () => {
  it('is the record in JSON, for any texts and numbers', () => {
    const stream = new PassThrough()
    const log = jsonLines(stream)
    const values = fc.oneof(
      fc.string(),
      fc.string({ unit: anyCharacter }),
      fc.double(),
      fc.boolean(),
      fc.constantFrom(null, undefined),
      fc.array(fc.string()),
      fc.dictionary(fc.constantFrom('someRecords', 'size'), fc.string()),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('requestId', 'error', 'indexRebuilt'), values), (record) => {
        log(record)
        log.flush()
        expect(String(stream.read())).toBe(`${JSON.stringify(encodeRecord(record))}\n`)
      }),
    )
  })
})

describe('a line that was prepared', () => {
  it('has the bytes of the line of a whole record', () => {
    const stream = new PassThrough()
    const log = jsonLines(stream)
    const facts = {
      bucketId: 'b',
      artifactId: 'a"\\',
      version: 'v',
      size: 0,
      bytesSent: 0,
      aborted: true,
    } as const
    const varying = { time: '2026-01-02T03:04:05.678Z', requestId: 'r-1', durationMs: 0.1 }
    const whole: OperationRecord = {
      ...{ time: varying.time, requestId: varying.requestId, operation: 'fetch', method: 'GET', status: 200 },
      ...{ durationMs: varying.durationMs, ...facts },
    }
    log(whole)
    const prepared = repeatedLine(log, 'GET', 200, { operation: 'fetch', ...facts })
    prepared(varying.time, varying.requestId, varying.durationMs)
    prepared(varying.time, 'r-2', 12)
    log.flush()
    const [first, second, third] = String(stream.read()).split('\n')
    expect(second).toBe(first)
    expect(JSON.parse(third ?? '')).toEqual(encodeRecord({ ...whole, requestId: 'r-2', durationMs: 12 }))
  })
})

describe('a log whose reader stalls', () => {
  it('keeps its lines as bytes, which take no more memory than their length', () => {
    const chunks: unknown[] = []
    const log = jsonLines({ writableLength: 0, write: (chunk: unknown) => chunks.push(chunk) > 0 })
    for (let number = 0; number < 10; number++) log({ number })
    log.flush()
    expect(chunks).toHaveLength(1)
    expect(chunks[0]).toBeInstanceOf(Uint8Array)
  })

  it('holds a bounded number of lines, and then says how many it dropped', async () => {
    const stream = new PassThrough()
    const log = jsonLines(stream)
    const record = { operation: 'x', message: 'm'.repeat(1000) }
    const written = 100_000
    for (let number = 0; number < written; number++) log(record)
    log.flush()
    expect(stream.writableLength + stream.readableLength).toBeLessThan(20 * MIB)

    let text = ''
    stream.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    await expect.poll(() => stream.writableLength).toBe(0)
    log({ operation: 'last' })
    log.flush()
    stream.end()
    await finished(stream)
    const lines = text.trimEnd().split('\n')
    expect(lines.slice(-2).map((line) => JSON.parse(line))).toMatchObject([
      { operation: 'dropped_lines', dropped_lines: written - (lines.length - 2) },
      { operation: 'last' },
    ])
  })
})
