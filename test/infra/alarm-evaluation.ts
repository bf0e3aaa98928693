/**
 * Evaluates a CloudWatch alarm of the template over a time series: statistics per period, M out of N periods, missing data as
 * `notBreaching`. Time is in minutes.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
 */

/** One published value of a metric. */
export interface Sample {
  readonly metric: string
  /** The timestamp of the datapoint. */
  readonly at: number
  readonly value: number
  /** When CloudWatch receives it; Lambda sends the metrics of an invocation at its end. Defaults to `at`. */
  readonly received?: number
}

/** The statistic of a period's values; undefined without data. */
type Statistic = (values: readonly number[]) => number

const STATISTICS: Readonly<Record<string, Statistic>> = {
  Average: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  Sum: (values) => values.reduce((sum, value) => sum + value, 0),
  Maximum: (values) => Math.max(...values),
  p99: (values) => [...values].sort((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN,
}

/**
 * The first minute at which the alarm fires; undefined if it never does.
 *
 * @param phase the offset of the period boundaries. AWS does not document their alignment, so a test should try several.
 */
export function firesAt(
  alarm: Readonly<Record<string, unknown>>,
  samples: readonly Sample[],
  phase: number,
): number | undefined {
  const end = Math.max(...samples.map(({ at, received = at }) => received)) + 60
  for (let now = 0; now <= end; now += 1) if (isBreaching(alarm, samples, phase, now)) return now
  return undefined
}

function isBreaching(
  alarm: Readonly<Record<string, unknown>>,
  samples: readonly Sample[],
  phase: number,
  now: number,
): boolean {
  if (alarm.TreatMissingData !== 'notBreaching' || alarm.ComparisonOperator !== 'GreaterThanThreshold')
    throw new Error('this evaluation knows only notBreaching and GreaterThanThreshold')
  const periodMinutes = Number(alarm.Period) / 60
  const known = samples.filter(({ at, received = at }) => received <= now)
  // The current period counts with the data that it has so far.
  const current = Math.floor((now - phase) / periodMinutes)
  let breaching = 0
  for (let back = 0; back < Number(alarm.EvaluationPeriods); back += 1) {
    const from = (current - back) * periodMinutes + phase
    const inPeriod = known.filter(({ at }) => at >= from && at < from + periodMinutes)
    const value = statistic(alarm.MetricName, alarm.Statistic ?? alarm.ExtendedStatistic, inPeriod)
    if (value !== undefined && value > Number(alarm.Threshold)) breaching += 1
  }
  return breaching >= Number(alarm.DatapointsToAlarm ?? alarm.EvaluationPeriods)
}

function statistic(name: unknown, stat: unknown, samples: readonly Sample[]): number | undefined {
  const compute = STATISTICS[String(stat)]
  if (!compute) throw new Error(`this evaluation does not know the statistic ${String(stat)}`)
  const values = samples
    .filter(({ metric }) => JSON.stringify(name).includes(metric))
    .map(({ value }) => value)
  return values.length > 0 ? compute(values) : undefined
}
