/** Lines of the operation log have the names of docs/operations.md, however the records are named in the code. */
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
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
