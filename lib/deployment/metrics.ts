/** The business metrics: the functions emit them in their log lines, and the dashboard shows them. */

export const METRIC_NAMESPACE = 'Bucket'
/** Its value is the name of the service, so that two deployments have separate metrics. */
export const METRIC_DIMENSION = 'Service'

/** The metrics with CloudWatch's names of their units. */
export const METRICS = {
  /** Reads that returned bytes or a link to them. */
  Fetches: 'Count',
  /** The sizes of the fetched artifacts. */
  FetchedBytes: 'Bytes',
  /** Artifacts that became visible by a store or a commit. */
  Stores: 'Count',
  StoredBytes: 'Bytes',
  /** Stores of a version that exists, with the same bytes or others. */
  Conflicts: 'Count',
  /** Stores whose bytes do not have the declared digest. */
  Mismatches: 'Count',
  /** Requests that found the blob of a stored version missing or damaged, including those that restored it. */
  LostBlobs: 'Count',
  /** Uploads that the verifier committed. */
  Verifications: 'Count',
  /** From the commit of an upload to the end of its verification. */
  VerificationLag: 'Milliseconds',
  /** The rate at which the verifier reads and hashes an upload. */
  VerificationRate: 'Bytes/Second',
} as const

export type MetricName = keyof typeof METRICS
