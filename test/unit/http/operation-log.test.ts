/** Lines of the operation log have the names of docs/operations.md, however the records are named in the code. */
import { describe, expect, it } from 'vitest'
import { encodeRecord } from '../../../lib/http/operation-log.ts'

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
