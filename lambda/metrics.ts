/**
 * Turns a line of the operation log into CloudWatch metrics, in the Embedded Metric Format: CloudWatch extracts them from the log,
 * so that a request costs no further call. Counts are emitted as zero, too, so that a graph without data means no requests.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import type { MessageRecord } from '../lib/aws/sqs-messages.ts'
import { METRIC_DIMENSION, METRIC_NAMESPACE, METRICS, type MetricName } from '../lib/deployment/metrics.ts'
import type { OperationRecord } from '../lib/http/request-context.ts'

type Values = { readonly [M in MetricName]?: number }

/** @returns the members that add the metrics of `record` to its line; none if it counts in no metric. */
export function metricsOf(record: OperationRecord | MessageRecord, service: string): object {
  const values = 'outcome' in record ? ofMessage(record) : ofRequest(record)
  const names = Object.keys(values) as MetricName[]
  if (names.length === 0) return {}
  const envelope = {
    Timestamp: Date.parse(record.time),
    CloudWatchMetrics: [
      {
        Namespace: METRIC_NAMESPACE,
        Dimensions: [[METRIC_DIMENSION]],
        Metrics: names.map((Name) => ({ Name, Unit: METRICS[Name] })),
      },
    ],
  }
  return { _aws: envelope, [METRIC_DIMENSION]: service, ...values }
}

const one = (condition: boolean) => (condition ? 1 : 0)

function ofRequest({ operation, status, code, size = 0 }: OperationRecord): Values {
  if (operation === 'fetch' || operation === 'download') {
    const isFetched = status < 400 && status !== 304
    return {
      Fetches: one(isFetched),
      FetchedBytes: isFetched ? size : 0,
      LostBlobs: one(code === 'blob_lost'),
    }
  }
  if (operation !== 'store' && operation !== 'commitUpload') return {}
  const isStored = status === 201
  return {
    Stores: one(isStored),
    StoredBytes: isStored ? size : 0,
    Conflicts: one(code === 'version_exists'),
    Mismatches: one(code === 'digest_mismatch'),
    // A store is 200 only if it restored the blob of a stored version.
    LostBlobs: one(code === 'blob_lost' || (operation === 'store' && status === 200)),
  }
}

function ofMessage({ operation, outcome, code, size = 0, hashMs, lagMs }: MessageRecord): Values {
  if (operation !== 'verify') return {}
  const isCommitted = outcome === 'committed'
  return {
    Verifications: one(isCommitted),
    Stores: one(isCommitted),
    StoredBytes: isCommitted ? size : 0,
    Conflicts: one(code === 'version_exists'),
    Mismatches: one(code === 'digest_mismatch'),
    // A time or a rate of zero would be wrong where nothing was measured.
    ...(isCommitted && lagMs !== undefined ? { VerificationLag: lagMs } : {}),
    ...(isCommitted && hashMs ? { VerificationRate: Math.round((size / hashMs) * 1000) } : {}),
  }
}
