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
    ['a store', { size: 5 }, { Stores: 1, StoredBytes: 5, Conflicts: 0, Mismatches: 0, RestoredBlobs: 0 }],
    ['a commit', { operation: 'commitUpload', method: 'POST', size: 5 }, { Stores: 1, StoredBytes: 5 }],
    [
      'a conflict',
      { status: 409, code: 'version_exists', size: 5 },
      { Stores: 0, StoredBytes: 0, Conflicts: 1 },
    ],
    ['other bytes', { status: 400, code: 'digest_mismatch' }, { Stores: 0, Mismatches: 1 }],
    ['a restored blob', { status: 200, size: 5 }, { Stores: 0, RestoredBlobs: 1 }],
    ['a fetch', { operation: 'fetch', status: 307, size: 5 }, { Fetches: 1, FetchedBytes: 5 }],
    ['an unmodified fetch', { operation: 'fetch', status: 304, size: 5 }, { Fetches: 0, FetchedBytes: 0 }],
    ['a failed fetch', { operation: 'download', status: 404 }, { Fetches: 0, FetchedBytes: 0 }],
  ])('count %s', (_, record, metrics) => {
    expect(extracted(request(record))).toMatchObject(metrics)
  })

  it('count a verification, with its lag, and a retry as zero', () => {
    expect(extracted(message({ lagMs: 9000 }))).toEqual({
      Verifications: 1,
      Stores: 1,
      VerificationLag: 9000,
    })
    expect(extracted(message({ outcome: 'retry', lagMs: 9000 }))).toEqual({ Verifications: 0, Stores: 0 })
  })

  it('are absent from requests that neither store nor fetch', () => {
    expect(lineOf(request({ operation: 'health', status: 200 }), 'Bucket-Service')).not.toHaveProperty('_aws')
  })
})
