/**
 * Canary releases, with the setting `canaryMinutes`: CodeDeploy sends 10 % of the calls to the new version of a function, and all of
 * them after the given time. If an alarm fires meanwhile, it sends all calls to the previous version again, and CloudFormation rolls the
 * stack back.
 *
 * @see https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html
 */
import { Aws, Validations } from 'aws-cdk-lib'
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch'
import {
  type ILambdaDeploymentConfig,
  LambdaApplication,
  LambdaDeploymentConfig,
  LambdaDeploymentGroup,
} from 'aws-cdk-lib/aws-codedeploy'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Alias, type IVersion, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { wildcardFinding } from './finding-id.ts'
import type { Settings } from './settings.ts'

type CanaryMinutes = NonNullable<Settings['canaryMinutes']>

const CONFIGS: { readonly [M in CanaryMinutes]: ILambdaDeploymentConfig } = {
  15: LambdaDeploymentConfig.CANARY_10PERCENT_15MINUTES,
  30: LambdaDeploymentConfig.CANARY_10PERCENT_30MINUTES,
}

/** The name of the alias that callers invoke. */
const LIVE = 'live'

/** @returns the alias of the current version. Earlier versions are kept until the function is deleted. */
export const liveAlias = (handler: LambdaFunction): Alias =>
  // The CDK's types are not made for `exactOptionalPropertyTypes`.
  new Alias(handler, 'Live', { aliasName: LIVE, version: handler.currentVersion as IVersion })

export interface CanaryReleaseProps {
  readonly minutes: CanaryMinutes
  /** Stores fail on purpose, so a release is neither gradual nor rolled back. */
  readonly readOnly: boolean
  /** By side: `Read`, `Write`, `Verify`. */
  readonly aliases: Readonly<Record<string, Alias>>
  /** Each of them ends a release. Their metrics must not depend on the API, whose methods depend on the aliases. */
  readonly alarms: readonly Alarm[]
}

/**
 * One deployment group per alias, under one application. CloudFormation lets CodeDeploy shift the aliases, because each names its group
 * in its update policy.
 */
export class CanaryRelease extends Construct {
  constructor(scope: Construct, id: string, { minutes, readOnly, aliases, alarms }: CanaryReleaseProps) {
    super(scope, id)
    const application = new LambdaApplication(this, 'Application')
    const role = this.role(Object.values(aliases))
    for (const [side, alias] of Object.entries(aliases)) {
      const group = new LambdaDeploymentGroup(this, side, {
        application,
        alias,
        // The CDK would add a managed policy that also allows calls of other functions and reads of any S3 bucket.
        role: role.withoutPolicyUpdates(),
        deploymentConfig: readOnly ? LambdaDeploymentConfig.ALL_AT_ONCE : CONFIGS[minutes],
        alarms: readOnly ? [] : [...alarms],
        autoRollback: { failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: !readOnly },
      })
      group.node.addDependency(role)
    }
  }

  private role(aliases: readonly Alias[]): Role {
    const role = new Role(this, 'Role', {
      description: 'Shifts the aliases of Bucket to new versions',
      // https://docs.aws.amazon.com/codedeploy/latest/userguide/security_confused_deputy.html
      assumedBy: new ServicePrincipal('codedeploy.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
      inlinePolicies: {
        Shift: new PolicyDocument({
          statements: [
            new PolicyStatement({
              sid: 'Aliases',
              effect: Effect.ALLOW,
              actions: ['lambda:GetAlias', 'lambda:UpdateAlias', 'lambda:GetProvisionedConcurrencyConfig'],
              resources: aliases.map(({ lambda }) => `${lambda.functionArn}:${LIVE}`),
            }),
            new PolicyStatement({
              sid: 'Alarms',
              effect: Effect.ALLOW,
              actions: ['cloudwatch:DescribeAlarms'],
              resources: ['*'],
            }),
          ],
        }),
      },
    })
    Validations.of(role).acknowledge({
      id: wildcardFinding(this, '*'),
      reason: 'CodeDeploy reads the states of alarms with a call that it need not restrict to named alarms.',
    })
    return role
  }
}
