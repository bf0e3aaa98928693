/** The log lines of the functions contain the business metrics in the Embedded Metric Format. */
import { describe, expect, it } from 'vitest'
import { lineOf } from '../../../lambda/operation-log.ts'
import type { MessageRecord } from '../../../lib/aws/sqs-messages.ts'
import { METRICS } from '../../../lib/deployment/metrics.ts'
import type { OperationRecord } from '../../../lib/http/request-context.ts'

const request = (record: Partial<OperationRecord>): OperationRecord => ({
  time: '2026-01-02T03:04:05.678Z',
  requestId: 'r',
  operation: 'store',
  method: 'PUT',
  status: 201,
  durationMs: 12,
  ...record,
})
const message = (record: Partial<MessageRecord>): MessageRecord => ({
  time: '2026-01-02T03:04:05.678Z',
  requestId: 'r',
  operation: 'verify',
  messageId: 'm',
  delivery: 1,
  outcome: 'committed',
  durationMs: 12,
  ...record,
})

interface Envelope {
  readonly Timestamp: number
  readonly CloudWatchMetrics: readonly {
    readonly Namespace: string
    readonly Dimensions: readonly (readonly string[])[]
    readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[]
  }[]
}

/** The metrics that CloudWatch extracts from a line. */
function extracted(record: OperationRecord | MessageRecord): Record<string, unknown> {
  const line = lineOf(record, 'Bucket-Service')
  const envelope = line._aws as Envelope | undefined
  return Object.fromEntries(
    (envelope?.CloudWatchMetrics ?? []).flatMap(({ Metrics }) =>
      Metrics.map(({ Name }) => [Name, line[Name]]),
    ),
  )
}

describe('the metrics of a log line', () => {
  it('are in the Embedded Metric Format, under the name of the service', () => {
    const line = lineOf(request({ size: 5 }), 'Bucket-Service')
    expect(line).toMatchObject({
      request_id: 'r',
      Service: 'Bucket-Service',
      _aws: {
        Timestamp: Date.parse('2026-01-02T03:04:05.678Z'),
        CloudWatchMetrics: [{ Namespace: 'Bucket', Dimensions: [['Service']] }],
      },
    })
    const { CloudWatchMetrics } = line._aws as Envelope
    for (const { Name, Unit } of CloudWatchMetrics[0]?.Metrics ?? [])
      expect(METRICS[Name as keyof typeof METRICS]).toBe(Unit)
  })

  it.each<[string, Partial<OperationRecord>, Record<string, number>]>([
    ['a store', { size: 5 }, { Stores: 1, StoredBytes: 5, Conflicts: 0, Mismatches: 0, LostBlobs: 0 }],
    ['a commit', { operation: 'commitUpload', method: 'POST', size: 5 }, { Stores: 1, StoredBytes: 5 }],
    [
      'a conflict',
      { status: 409, code: 'version_exists', size: 5 },
      { Stores: 0, StoredBytes: 0, Conflicts: 1 },
    ],
    ['other bytes', { status: 400, code: 'digest_mismatch' }, { Stores: 0, Mismatches: 1 }],
    ['a restored blob', { status: 200, size: 5 }, { Stores: 0, LostBlobs: 1 }],
    ['a lost blob', { status: 500, code: 'blob_lost', size: 5 }, { Stores: 0, LostBlobs: 1 }],
    ['a fetch of a lost blob', { operation: 'fetch', status: 500, code: 'blob_lost' }, { LostBlobs: 1 }],
    ['a fetch', { operation: 'fetch', status: 307, size: 5 }, { Fetches: 1, FetchedBytes: 5, LostBlobs: 0 }],
    ['an unmodified fetch', { operation: 'fetch', status: 304, size: 5 }, { Fetches: 0, FetchedBytes: 0 }],
    ['a failed fetch', { operation: 'download', status: 404 }, { Fetches: 0, FetchedBytes: 0 }],
  ])('count %s', (_, record, metrics) => {
    expect(extracted(request(record))).toMatchObject(metrics)
  })

  const NONE = { Verifications: 0, Stores: 0, StoredBytes: 0, Conflicts: 0, Mismatches: 0 }
  it.each<[string, Partial<MessageRecord>, Record<string, number>]>([
    [
      'a verification, with its lag and its bytes per second',
      { size: 1000, hashMs: 500, lagMs: 9000 },
      {
        ...NONE,
        Verifications: 1,
        Stores: 1,
        StoredBytes: 1000,
        VerificationLag: 9000,
        VerificationRate: 2000,
      },
    ],
    [
      'a verification that found the bytes hashed, without a rate',
      { size: 1000, lagMs: 10 },
      { ...NONE, Verifications: 1, Stores: 1, StoredBytes: 1000, VerificationLag: 10 },
    ],
    ['a retry as zero', { outcome: 'retry', size: 1000, lagMs: 9000 }, NONE],
    ['other bytes', { outcome: 'failed', code: 'digest_mismatch', size: 9 }, { ...NONE, Mismatches: 1 }],
    ['a version that was taken', { outcome: 'failed', code: 'version_exists' }, { ...NONE, Conflicts: 1 }],
  ])('count %s', (_, record, metrics) => {
    expect(extracted(message(record))).toEqual(metrics)
  })

  it('are absent from requests that neither store nor fetch', () => {
    expect(lineOf(request({ operation: 'health', status: 200 }), 'Bucket-Service')).not.toHaveProperty('_aws')
  })
})
