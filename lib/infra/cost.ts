/**
 * The monthly cost of a deployment, computed from one table of prices and the AWS calls of each operation.
 * `test/unit/lambda/cost.test.ts` compares the calls with the handlers, and `test/infra/cost.test.ts` the fixed part with the
 * template. `npm run cost` prints the tables of docs/deployment.md.
 */

import { METRICS } from '../deployment/metrics.ts'

const MILLION = 1_000_000
const GB = 1024 ** 3
const KB = 1024
const SECONDS_PER_MONTH = 30 * 24 * 3600

/** List prices of us-east-1 in US dollars, without free tiers and discounts, as of this writing. */
const PRICES = {
  /** https://aws.amazon.com/api-gateway/pricing/ — REST API, per request. */
  gatewayRequest: 3.5 / MILLION,
  /** https://aws.amazon.com/lambda/pricing/ — arm64. */
  lambdaRequest: 0.2 / MILLION,
  lambdaGbSecond: 0.0000133334,
  /** https://aws.amazon.com/dynamodb/pricing/on-demand/ — one unit reads 4 KB consistently, or writes 1 KB. */
  readUnit: 0.125 / MILLION,
  writeUnit: 0.625 / MILLION,
  tableGbMonth: 0.25,
  recoveryGbMonth: 0.2,
  /** https://aws.amazon.com/s3/pricing/ — Standard. */
  s3Put: 5 / MILLION,
  s3Get: 0.4 / MILLION,
  s3GbMonth: 0.023,
  internetGb: 0.09,
  /** https://aws.amazon.com/sqs/pricing/ — standard queue. */
  queueRequest: 0.4 / MILLION,
  /** https://aws.amazon.com/cloudwatch/pricing/ */
  logGb: 0.5,
  alarmMonth: 0.1,
  metricMonth: 0.3,
  dashboardMonth: 3,
  /** https://aws.amazon.com/kms/pricing/ */
  kmsKeyMonth: 1,
  kmsRequest: 0.03 / 10_000,
} as const

/**
 * The price of one call, by the name of its command. An eventually consistent read has a name of its own, because it costs half of
 * a consistent one. S3 bills HEAD as GET, and lists as PUT; deletes and aborts are free.
 */
const CALL_PRICES = {
  GetItem: PRICES.readUnit,
  EventuallyConsistentGetItem: PRICES.readUnit / 2,
  Query: PRICES.readUnit,
  PutItem: PRICES.writeUnit,
  DeleteItem: PRICES.writeUnit,
  GetObject: PRICES.s3Get,
  HeadObject: PRICES.s3Get,
  PutObject: PRICES.s3Put,
  CreateMultipartUpload: PRICES.s3Put,
  UploadPart: PRICES.s3Put,
  UploadPartCopy: PRICES.s3Put,
  CompleteMultipartUpload: PRICES.s3Put,
  ListParts: PRICES.s3Put,
  DeleteObject: 0,
  AbortMultipartUpload: 0,
  SendMessage: PRICES.queueRequest,
} as const
export type Call = keyof typeof CALL_PRICES

/** The AWS calls of the requests that a deployment mostly serves, in order. */
export const CALLS = {
  fetch: ['EventuallyConsistentGetItem'],
  entry: ['EventuallyConsistentGetItem'],
  store: ['GetItem', 'PutObject', 'PutItem'],
  beginSingle: ['GetItem', 'PutItem'],
  commitSingle: ['GetItem', 'HeadObject', 'PutItem', 'PutItem', 'PutItem'],
} as const satisfies Record<string, readonly Call[]>

/** Assumptions, which no deployment has measured yet. */
const ASSUMED = {
  memoryGb: 1769 / 1024,
  readSeconds: 0.02,
  writeSeconds: 0.15,
  logBytesPerRequest: 2.2 * KB,
  rowBytes: 0.5 * KB,
  artifactBytes: 1024 * KB,
  /** Of the kept artifacts, per month. */
  storedShare: 0.1,
  fetchesPerArtifact: 1,
} as const

/** The cost of one million of an operation, by service. */
export interface OperationCost {
  readonly operation: string
  readonly gateway: number
  readonly lambda: number
  readonly dynamodb: number
  readonly s3: number
  readonly logs: number
  readonly sum: number
}

/** @param requests the requests of the API that the operation sends; `s3Requests` are those of its client to S3. */
function operationCost(
  operation: string,
  requests: readonly { readonly calls: readonly Call[]; readonly seconds: number }[],
  s3Requests: readonly Call[] = [],
): OperationCost {
  const calls = [...requests.flatMap((request) => request.calls), ...s3Requests]
  const priceOf = (services: 'dynamodb' | 's3') =>
    calls
      .filter((call) => /Item$|^Query$/.test(call) === (services === 'dynamodb'))
      .reduce((sum, call) => sum + CALL_PRICES[call] * MILLION, 0)
  const seconds = requests.reduce((sum, request) => sum + request.seconds, 0)
  const count = requests.length * MILLION
  const parts = {
    gateway: count * PRICES.gatewayRequest,
    lambda: count * PRICES.lambdaRequest + MILLION * seconds * ASSUMED.memoryGb * PRICES.lambdaGbSecond,
    dynamodb: priceOf('dynamodb'),
    s3: priceOf('s3'),
    logs: ((count * ASSUMED.logBytesPerRequest) / GB) * PRICES.logGb,
  }
  return { operation, ...parts, sum: Object.values(parts).reduce((sum, part) => sum + part, 0) }
}

const read = (calls: readonly Call[]) => ({ calls, seconds: ASSUMED.readSeconds })
const write = (calls: readonly Call[]) => ({ calls, seconds: ASSUMED.writeSeconds })

export const OPERATIONS = {
  fetch: operationCost('fetch (and one GET at S3)', [read(CALLS.fetch)], ['GetObject']),
  entry: operationCost('entry', [read(CALLS.entry)]),
  store: operationCost('store, inline', [write(CALLS.store)]),
  single: operationCost(
    'upload in single mode',
    [write(CALLS.beginSingle), write(CALLS.commitSingle)],
    ['PutObject'],
  ),
} as const

/** The resources with a monthly price of their own, as many as the template has. */
export const FIXED = {
  alarms: 28,
  customMetrics: 2 + Object.keys(METRICS).length,
  dashboards: 1,
  polledQueues: 2,
} as const

/**
 * Lambda polls a queue with five connections of 20 seconds each, also while it is empty.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
const POLLS_PER_QUEUE = (5 * SECONDS_PER_MONTH) / 20

const fixedMonthly = (): number =>
  FIXED.alarms * PRICES.alarmMonth +
  FIXED.customMetrics * PRICES.metricMonth +
  FIXED.dashboards * PRICES.dashboardMonth +
  FIXED.polledQueues * POLLS_PER_QUEUE * PRICES.queueRequest

export interface MonthlyCost {
  readonly artifacts: number
  readonly blobs: number
  readonly ledger: number
  readonly requests: number
  readonly fixed: number
  /** More with a customer-managed key. */
  readonly kms: number
  readonly sum: number
  /** What limits first: the limit with the highest use, on average over the month. */
  readonly limit: string
  readonly use: number
}

/** A month in which `artifacts` are kept, `storedShare` of them new, and each is fetched `fetchesPerArtifact` times. */
export function monthlyCost(artifacts: number): MonthlyCost {
  const stores = artifacts * ASSUMED.storedShare
  const fetches = artifacts * ASSUMED.fetchesPerArtifact
  const parts = {
    blobs: ((artifacts * ASSUMED.artifactBytes) / GB) * PRICES.s3GbMonth,
    ledger: ((artifacts * ASSUMED.rowBytes) / GB) * (PRICES.tableGbMonth + PRICES.recoveryGbMonth),
    requests: (stores * OPERATIONS.store.sum + fetches * OPERATIONS.fetch.sum) / MILLION,
    fixed: fixedMonthly(),
  }
  // Bucket keys and data key reuse share data keys, so a tenth of S3's requests is a generous bound.
  const kms = PRICES.kmsKeyMonth + (stores + fetches) * 0.1 * PRICES.kmsRequest
  const [limit] = limits(stores / SECONDS_PER_MONTH, fetches / SECONDS_PER_MONTH)
    .map(({ name, limit: most, value }) => ({ limit: name, use: value / most }))
    .sort((a, b) => b.use - a.use)
  return {
    artifacts,
    ...parts,
    kms,
    sum: Object.values(parts).reduce((sum, part) => sum + part, 0),
    limit: limit?.limit ?? '',
    use: limit?.use ?? 0,
  }
}

/**
 * The limits that a deployment meets, with their defaults, per second.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
 */
const limits = (stores: number, fetches: number) => [
  { name: 'the setting `throttleRate` (2,000/s)', limit: 2000, value: stores + fetches },
  {
    name: 'Lambda concurrency of the account (1,000)',
    limit: 1000,
    value: stores * ASSUMED.writeSeconds + fetches * ASSUMED.readSeconds,
  },
  { name: 'S3 writes per prefix (3,500/s)', limit: 3500, value: stores },
  // An eventually consistent read takes half a unit.
  { name: 'DynamoDB reads of the table (40,000/s)', limit: 40_000, value: stores + fetches / 2 },
]

const dollars = (value: number) =>
  value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

/** The tables of docs/deployment.md, in Markdown. */
export function costTables(): string {
  const operations = table(
    ['per million', 'gateway', 'Lambda', 'DynamoDB', 'S3', 'logs', 'sum'],
    Object.values(OPERATIONS).map(({ operation, gateway, lambda, dynamodb, s3, logs, sum }) => [
      operation,
      ...[gateway, lambda, dynamodb, s3, logs].map(dollars),
      `**${dollars(sum)}**`,
    ]),
  )
  const months = table(
    [
      'artifacts kept',
      'blobs',
      'ledger, with recovery',
      'requests',
      'fixed',
      'sum',
      'own KMS key',
      'limits first',
    ],
    [MILLION, 100 * MILLION, 10_000 * MILLION]
      .map(monthlyCost)
      .map((month) => [
        month.artifacts.toLocaleString('en-US'),
        ...[month.blobs, month.ledger, month.requests, month.fixed].map(dollars),
        `**${dollars(month.sum)}**`,
        `+ ${dollars(month.kms)}`,
        `${month.limit}: ${(month.use * 100).toFixed(month.use < 0.1 ? 1 : 0)} % used`,
      ]),
  )
  return `${operations}\n\n${months}`
}
