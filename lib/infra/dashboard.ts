/** The dashboard: alarms, requests, errors, latency, functions, verifications and tables. */
import { Duration } from 'aws-cdk-lib'
import type { RestApi } from 'aws-cdk-lib/aws-apigateway'
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  Metric,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { LambdaSide } from '../deployment/environment.ts'
import { METRIC_DIMENSION, METRIC_NAMESPACE, type MetricName } from '../deployment/metrics.ts'
import type { Table } from './ledger-table.ts'
import type { VerificationQueues } from './verification-queue.ts'

export interface DashboardProps {
  /** The dimension of the business metrics. */
  readonly service: string
  readonly restApi: RestApi
  readonly functions: { readonly [S in LambdaSide]: IFunction }
  readonly ledger: Table
  readonly uploads: Table
  readonly queue: VerificationQueues
  readonly alarms: readonly Alarm[]
}

/** Adds the dashboard, which shows the last three hours. */
export function addDashboard(
  scope: Construct,
  { service, restApi, functions, ledger, uploads, queue, alarms }: DashboardProps,
): Dashboard {
  const stage = restApi.deploymentStage
  const { read, write, verify } = functions
  const sum = { statistic: Stats.SUM, period: Duration.minutes(1) }
  const percentile = (percent: number) => ({
    statistic: Stats.percentile(percent),
    period: Duration.minutes(1),
  })
  const metric = (metricName: MetricName, options: typeof sum) =>
    new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { [METRIC_DIMENSION]: service },
      ...options,
    })
  const business = (...names: MetricName[]) => names.map((name) => metric(name, sum))
  const graph = (title: string, left: ConstructorParameters<typeof GraphWidget>[0]['left'] = []) =>
    new GraphWidget({ title, left, width: 8, height: 6 })

  return new Dashboard(scope, 'Dashboard', {
    defaultInterval: Duration.hours(3),
    widgets: [
      [new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 24, height: 3 })],
      [
        graph('Requests', [stage.metricCount(sum)]),
        graph('Client and server errors', [stage.metricClientError(sum), stage.metricServerError(sum)]),
        graph('Latency (ms)', [stage.metricLatency(percentile(50)), stage.metricLatency(percentile(99))]),
      ],
      [
        graph('Read function', [
          read.metricInvocations(sum),
          read.metricErrors(sum),
          read.metricThrottles(sum),
        ]),
        graph('Write function', [
          write.metricInvocations(sum),
          write.metricErrors(sum),
          write.metricThrottles(sum),
        ]),
        graph('Function duration, p99 (ms)', [
          read.metricDuration(percentile(99)),
          write.metricDuration(percentile(99)),
        ]),
      ],
      [
        graph('Verifications', [
          verify.metricInvocations(sum),
          verify.metricErrors(sum),
          queue.queue.metricApproximateNumberOfMessagesVisible(),
          queue.deadLetters.metricApproximateNumberOfMessagesVisible(),
        ]),
        graph('Oldest verification waiting (s)', [queue.queue.metricApproximateAgeOfOldestMessage()]),
        graph('Verification, p99 (ms)', [verify.metricDuration(percentile(99))]),
      ],
      [
        graph('Stores, conflicts, mismatches', business('Stores', 'Conflicts', 'Mismatches', 'LostBlobs')),
        graph('Bytes', business('StoredBytes', 'FetchedBytes')),
        graph('From commit to verified, p99 (ms)', [metric('VerificationLag', percentile(99))]),
        graph('Verification rate, p10 (bytes/s)', [metric('VerificationRate', percentile(10))]),
      ],
      [
        graph('Ledger capacity', [
          ledger.metricConsumedReadCapacityUnits(sum),
          ledger.metricConsumedWriteCapacityUnits(sum),
        ]),
        graph('Uploads capacity', [
          uploads.metricConsumedReadCapacityUnits(sum),
          uploads.metricConsumedWriteCapacityUnits(sum),
        ]),
        graph(
          'Table throttles',
          [ledger, uploads].flatMap((table) => [
            table.metric('ReadThrottleEvents', sum),
            table.metric('WriteThrottleEvents', sum),
          ]),
        ),
      ],
    ],
  })
}
