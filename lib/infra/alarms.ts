/**
 * The alarms. The description of each links to its section in docs/operations.md. Missing data counts as healthy: an idle service has
 * no failures.
 */
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { alarmRules, type WatchedResources } from './alarm-rules.ts'
import type { Settings } from './settings.ts'

/** The alarms by which a faulty release shows itself, and which end it (canary-release.ts). */
const ENDING_RELEASES: ReadonlySet<string> = new Set([
  'ApiServerErrors',
  'ReadErrors',
  'WriteErrors',
  'VerifyErrors',
  'VerificationRetried',
])

export interface AlarmsProps extends WatchedResources {
  readonly settings: Settings
}

/** All alarms of one service. They notify `alarmTopicArn` when they start and when they end; without it they only show their state. */
export class Alarms extends Construct {
  readonly alarms: readonly Alarm[]
  /** Those that end a canary release. */
  readonly endingReleases: readonly Alarm[]

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id)
    const { alarmTopicArn } = props.settings
    const action =
      alarmTopicArn === undefined
        ? undefined
        : new SnsAction(Topic.fromTopicArn(this, 'Topic', alarmTopicArn))
    this.alarms = alarmRules(this, props).map((rule) => {
      const alarm = new Alarm(this, rule.id, {
        alarmDescription: `${rule.description} See docs/operations.md#alarm-${rule.kind}`,
        metric: rule.metric,
        threshold: rule.above,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: rule.sustained.of,
        datapointsToAlarm: rule.sustained.breaching,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      })
      if (action) {
        alarm.addAlarmAction(action)
        alarm.addOkAction(action)
      }
      return alarm
    })
    this.endingReleases = this.alarms.filter(({ node }) => ENDING_RELEASES.has(node.id))
  }
}
