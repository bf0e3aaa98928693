/**
 * The rules of the alarms: a metric, and the value above which it is a problem. Each kind of alarm has a section in
 * docs/operations.md that says what it means, where to look and what to do. `test/infra/alarms.test.ts` evaluates every rule over
 * the time series that its section describes.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
 */
import { Duration } from 'aws-cdk-lib'
import type { RestApi } from 'aws-cdk-lib/aws-apigateway'
import { type IMetric, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Operation } from 'aws-cdk-lib/aws-dynamodb'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { FilterPattern, type LogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import type { LambdaSide } from '../deployment/environment.ts'
import { METRIC_DIMENSION, METRIC_NAMESPACE, type MetricName } from '../deployment/metrics.ts'
import { ERROR_STATUS } from '../protocol/errors.ts'
import type { Table } from './ledger-table.ts'
import { STAGE } from './rest-api.ts'
import { serviceName } from './service-name.ts'
import { TIMEOUT_SECONDS } from './timeouts.ts'
import type { VerificationQueues } from './verification-queue.ts'

const PERIOD = Duration.minutes(5)
/**
 * The period for metrics of the verifier. Lambda stamps a metric with the start of its invocation and emits it at the end, up to
 * 15 minutes later. A shorter period would be over before its datapoint arrives.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
 */
const VERIFY_PERIOD = Duration.minutes(30)
const SUM = { statistic: Stats.SUM, period: PERIOD }

/**
 * How often a rule must breach: at once, or in several of twice as many periods. Requiring consecutive periods would miss a
 * service with one failing request every ten minutes, and no requests in the other periods.
 */
const ONCE = { breaching: 1, of: 1 }
/** One of two periods: a datapoint of the verifier may arrive when the period of its timestamp is over. */
const ONCE_LATE = { breaching: 1, of: 2 }
const TEN_MINUTES = { breaching: 2, of: 4 }
const FIFTEEN_MINUTES = { breaching: 3, of: 6 }

/** The kinds of alarm. Each is the anchor of its section: `docs/operations.md#alarm-…`. */
export const ALARM_KINDS = [
  'api-5xx',
  'api-throttles',
  'api-latency',
  'lambda-errors',
  'lambda-throttles',
  'lambda-duration',
  'dynamodb-throttles',
  'dynamodb-errors',
  'verification-delayed',
  'verification-abandoned',
  'lost-blobs',
  'dead-letters',
  'health-probe',
] as const
export type AlarmKind = (typeof ALARM_KINDS)[number]

/** An alarm fires when `metric` is above a value for long enough. */
export interface AlarmRule {
  readonly id: string
  readonly kind: AlarmKind
  readonly description: string
  readonly metric: IMetric
  readonly above: number
  /** In how many of how many successive periods. */
  readonly sustained: { readonly breaching: number; readonly of: number }
}

export interface WatchedResources {
  readonly restApi: RestApi
  readonly accessLog: LogGroup
  readonly functions: { readonly [S in LambdaSide]: IFunction }
  readonly ledger: Table
  readonly uploads: Table
  readonly queue: VerificationQueues
  /** With the setting `healthProbe`. */
  readonly probe: IFunction | undefined
  /** The log of the verifier. */
  readonly verifyLog: LogGroup
}

/** @param scope gets the filters that make metrics of log lines. */
export const alarmRules = (scope: Construct, watched: WatchedResources): readonly AlarmRule[] => [
  ...apiRules(scope, watched),
  ...functionRules(watched),
  ...tableRules(watched),
  ...verificationRules(scope, watched),
  lostBlobsRule(scope),
  ...probeRules(watched),
]

function apiRules(scope: Construct, { restApi, accessLog }: WatchedResources): AlarmRule[] {
  // Names the stage by text: a reference would make the alarms depend on the API, whose methods depend on releases, which
  // these alarms end.
  const ofStage = (metricName: string, statistic: string) =>
    new Metric({
      namespace: 'AWS/ApiGateway',
      metricName,
      dimensionsMap: { ApiName: restApi.restApiName, Stage: STAGE },
      statistic,
      period: PERIOD,
    })
  // API Gateway does not count throttled requests.
  const throttles = new MetricFilter(scope, 'ThrottledRequests', {
    logGroup: accessLog,
    filterPattern: FilterPattern.stringValue('$.status', '=', String(ERROR_STATUS.throttled)),
    metricNamespace: METRIC_NAMESPACE,
    metricName: `ThrottledRequests-${restApi.restApiId}`,
    metricValue: '1',
  }).metric(SUM)
  return [
    {
      id: 'ApiServerErrors',
      kind: 'api-5xx',
      description: 'More than 1 % of requests got a 5xx, in 10 of 20 minutes.',
      // The average of this metric is the share of 5xx responses.
      metric: ofStage('5XXError', Stats.AVERAGE),
      above: 0.01,
      sustained: TEN_MINUTES,
    },
    {
      id: 'ApiThrottles',
      kind: 'api-throttles',
      description: 'The gateway refused requests with 429, in 10 of 20 minutes.',
      metric: throttles,
      above: 0,
      sustained: TEN_MINUTES,
    },
    {
      id: 'ApiLatency',
      kind: 'api-latency',
      description: 'The slowest 1 % of requests took longer than 5 seconds, in 15 of 30 minutes.',
      metric: ofStage('Latency', Stats.percentile(99)),
      above: 5000,
      sustained: FIFTEEN_MINUTES,
    },
  ]
}

function lostBlobsRule(scope: Construct): AlarmRule {
  const name: MetricName = 'LostBlobs'
  return {
    id: name,
    kind: 'lost-blobs',
    description: 'The blob of a stored version is missing or damaged.',
    metric: new Metric({
      namespace: METRIC_NAMESPACE,
      metricName: name,
      dimensionsMap: { [METRIC_DIMENSION]: serviceName(scope) },
      ...SUM,
    }),
    above: 0,
    sustained: ONCE,
  }
}

function verificationRules(
  scope: Construct,
  { queue: { queue, deadLetters }, verifyLog }: WatchedResources,
): AlarmRule[] {
  // SQS leaves a message out of the age metric once it has been received more than three times, so this counts the later
  // deliveries. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
  const retries = new MetricFilter(scope, 'VerificationRetries', {
    logGroup: verifyLog,
    filterPattern: FilterPattern.numberValue('$.delivery', '>', 3),
    metricNamespace: METRIC_NAMESPACE,
    metricName: `VerificationRetries-${queue.queueName}`,
    metricValue: '1',
  }).metric(SUM)
  const perPeriod = { statistic: Stats.MAXIMUM, period: PERIOD }
  return [
    {
      id: 'VerificationDelayed',
      kind: 'verification-delayed',
      description: 'An upload has waited 30 minutes for its verification.',
      metric: queue.metricApproximateAgeOfOldestMessage(perPeriod),
      above: 1800,
      sustained: ONCE,
    },
    {
      id: 'VerificationRetried',
      kind: 'verification-delayed',
      description: 'The verification of an upload failed three times.',
      metric: retries,
      above: 0,
      sustained: ONCE,
    },
    {
      id: 'VerificationAbandoned',
      kind: 'verification-abandoned',
      description:
        'A verification failed on every delivery, so its upload failed. The uploader must restart it.',
      // SQS does not count redriven messages as sent, but the verifier receives them.
      metric: deadLetters.metricNumberOfMessagesReceived(SUM),
      above: 0,
      sustained: ONCE,
    },
    {
      id: 'DeadLetters',
      kind: 'dead-letters',
      description:
        'Messages have stayed in the dead-letter queue for 15 minutes: the verifier does not receive them.',
      metric: deadLetters.metricApproximateNumberOfMessagesVisible(perPeriod),
      above: 0,
      sustained: { breaching: 3, of: 3 },
    },
    {
      // A message that the verifier received and could not handle is in flight, not visible, for most of the time.
      id: 'DeadLettersInFlight',
      kind: 'dead-letters',
      description:
        'Messages have stayed in the dead-letter queue for 15 minutes: failing their uploads fails, too.',
      metric: deadLetters.metricApproximateNumberOfMessagesNotVisible(perPeriod),
      above: 0,
      sustained: { breaching: 3, of: 3 },
    },
  ]
}

const probeRules = ({ probe }: WatchedResources): AlarmRule[] =>
  probe === undefined
    ? []
    : [
        {
          id: 'HealthProbe',
          kind: 'health-probe',
          description: 'Two of the last four requests for the health of the API failed, from outside.',
          metric: probe.metricErrors(SUM),
          above: 0,
          sustained: TEN_MINUTES,
        },
      ]

function functionRules({ functions }: WatchedResources): AlarmRule[] {
  return (Object.entries(functions) as [LambdaSide, IFunction][]).flatMap(([side, handler]) => {
    const name = { read: 'Read', write: 'Write', verify: 'Verify' }[side]
    const limit = TIMEOUT_SECONDS[side] * 1000 * 0.8
    const duration =
      side === 'verify'
        ? {
            description: `A verification used 80 % of the verifier's ${TIMEOUT_SECONDS.verify} seconds.`,
            metric: handler.metricDuration({ statistic: Stats.MAXIMUM, period: VERIFY_PERIOD }),
            sustained: ONCE_LATE,
          }
        : {
            description: `The slowest 1 % of calls of the ${side} function used 80 % of its ${TIMEOUT_SECONDS[side]} seconds, in 15 of 30 minutes.`,
            metric: handler.metricDuration({ statistic: Stats.percentile(99), period: PERIOD }),
            sustained: FIFTEEN_MINUTES,
          }
    return [
      {
        id: `${name}Errors`,
        kind: 'lambda-errors' as const,
        description: `The ${side} function crashed or timed out.`,
        metric: handler.metricErrors({
          statistic: Stats.SUM,
          period: side === 'verify' ? VERIFY_PERIOD : PERIOD,
        }),
        above: 0,
        sustained: side === 'verify' ? ONCE_LATE : ONCE,
      },
      {
        id: `${name}Throttles`,
        kind: 'lambda-throttles' as const,
        description: `Lambda throttled the ${side} function, in 10 of 20 minutes.`,
        metric: handler.metricThrottles(SUM),
        above: 0,
        sustained: TEN_MINUTES,
      },
      { id: `${name}Duration`, kind: 'lambda-duration' as const, above: limit, ...duration },
    ]
  })
}

function tableRules({ ledger, uploads }: WatchedResources): AlarmRule[] {
  return [
    ...rulesOfTable('Ledger', ledger, [Operation.GET_ITEM, Operation.QUERY, Operation.PUT_ITEM]),
    ...rulesOfTable('Uploads', uploads, [Operation.GET_ITEM, Operation.PUT_ITEM, Operation.DELETE_ITEM]),
  ]
}

function rulesOfTable(name: string, table: Table, operations: readonly Operation[]): AlarmRule[] {
  const throttles = (['Read', 'Write'] as const).map((side) => ({
    id: `${name}${side}Throttles`,
    kind: 'dynamodb-throttles' as const,
    description: `DynamoDB throttled ${side.toLowerCase()}s on the ${name.toLowerCase()} table, in 10 of 20 minutes.`,
    metric: table.metric(`${side}ThrottleEvents`, SUM),
    above: 0,
    sustained: TEN_MINUTES,
  }))
  const errors = operations.map((operation) => ({
    id: `${name}${operation}Errors`,
    kind: 'dynamodb-errors' as const,
    description: `DynamoDB failed ${operation} on the ${name.toLowerCase()} table with internal errors, in 10 of 20 minutes.`,
    metric: new Metric({
      namespace: 'AWS/DynamoDB',
      metricName: 'SystemErrors',
      dimensionsMap: { TableName: table.tableName, Operation: operation },
      ...SUM,
    }),
    above: 0,
    sustained: TEN_MINUTES,
  }))
  return [...throttles, ...errors]
}
