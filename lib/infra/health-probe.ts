/**
 * The setting `healthProbe`: a function that asks the API for its health every five minutes, from outside. The alarm on its failures
 * (alarm-rules.ts) also fires for a gateway, an authorizer or a domain that fails without a request reaching a function.
 */
import { Duration } from 'aws-cdk-lib'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Effect, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs'
import { Construct } from 'constructs'
import { PROBE_URL_VARIABLE } from '../deployment/environment.ts'
import { acknowledge } from './acknowledge.ts'
import { handlerEntry } from './bundling.ts'
import { type BucketApi, STAGE } from './rest-api.ts'
import { NODE_FUNCTION } from './service-function.ts'
import { serviceLogs } from './service-logs.ts'
import type { Settings } from './settings.ts'

export interface HealthProbeProps {
  readonly settings: Settings
  /** Encrypts the log; undefined means the key of CloudWatch Logs. */
  readonly key: IKey | undefined
  readonly api: BucketApi
}

export class HealthProbe extends Construct {
  readonly function: NodejsFunction

  constructor(scope: Construct, id: string, { settings, key, api }: HealthProbeProps) {
    super(scope, id)
    const logGroup = serviceLogs(this, 'Logs', { settings, key })
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: 'Permissions of the health probe of Bucket',
    })
    this.function = new NodejsFunction(this, 'Function', {
      ...NODE_FUNCTION,
      description: 'Bucket: asks for the health of the API',
      entry: handlerEntry('probe'),
      memorySize: 256,
      timeout: Duration.seconds(30),
      role,
      logGroup,
      environment: { [PROBE_URL_VARIABLE]: api.url },
    })
    acknowledge(this.function, {
      CKV_AWS_115: 'One invocation in five minutes needs no reserved concurrency.',
      CKV_AWS_116: 'The next invocation replaces one that failed; an alarm counts the failures.',
      CKV_AWS_117: 'The function asks the public address, as callers do.',
      CKV_AWS_173: 'The environment contains the address of the API, no secrets.',
    })
    const policy = new Policy(this, 'Policy', {
      roles: [role],
      statements: [
        new PolicyStatement({
          sid: 'Health',
          effect: Effect.ALLOW,
          actions: ['execute-api:Invoke'],
          resources: [api.restApi.arnForExecuteApi('GET', '/health', STAGE)],
        }),
        new PolicyStatement({
          sid: 'Logs',
          effect: Effect.ALLOW,
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [logGroup.logGroupArn],
        }),
      ],
    })
    const rule = new Rule(this, 'Schedule', {
      description: 'Bucket: when the health of the API is asked for',
      schedule: Schedule.rate(Duration.minutes(5)),
      targets: [new LambdaFunction(this.function, { retryAttempts: 0 })],
    })
    rule.node.addDependency(policy)
  }
}
