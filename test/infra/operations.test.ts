/** How the functions run, their environment, their logs, and the alarms. */
import { Template } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import {
  LAMBDA_ENVIRONMENT,
  LAMBDA_VARIABLES,
  readLambdaEnvironment,
} from '../../lib/deployment/environment.ts'
import { DEFAULT_MAX_ARTIFACT_BYTES } from '../../lib/domain/limits.ts'
import { ALARM_KINDS } from '../../lib/infra/alarm-rules.ts'
import { ARNS, buildStack, synthesize, warnings } from './synthesized.ts'

const API_SIDES = ['Read', 'Write'] as const
const SIDES = [...API_SIDES, 'Verify'] as const
const lambda = (side: (typeof SIDES)[number], ...args: Parameters<typeof synthesize>) =>
  synthesize(...args).resource('AWS::Lambda::Function', `Service${side}Function`).Properties

describe('the functions', () => {
  it.each(API_SIDES)(
    '%s runs on Node 24 on arm64 with one vCPU, and times out before the gateway does',
    (side) => {
      expect(lambda(side)).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        MemorySize: 1769,
        Timeout: 28,
        Handler: 'index.handler',
      })
    },
  )

  it('Verify runs as they do, with Lambda’s longest timeout', () => {
    expect(lambda('Verify')).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      MemorySize: 1769,
      Timeout: 900,
      Handler: 'index.handler',
    })
  })

  it.each([
    ['Read', 'read'],
    ['Write', 'write'],
    ['Verify', 'verify'],
  ] as const)('%s gets exactly the variables that its handler reads', (name, side) => {
    const { Variables } = lambda(name, { corsOrigins: ['https://a.example.com', 'https://b.example.com'] })
      .Environment as { Variables: Record<string, unknown> }
    expect(Object.keys(Variables).sort()).toEqual(
      LAMBDA_VARIABLES[side].map((variable) => LAMBDA_ENVIRONMENT[variable]).sort(),
    )
    const filled = Object.entries(Variables).map(([variable, value]) => [
      variable,
      typeof value === 'string' ? value : 'name',
    ])
    expect(readLambdaEnvironment(Object.fromEntries(filled), side)).toMatchObject({
      maxArtifactBytes: DEFAULT_MAX_ARTIFACT_BYTES,
      ...(side === 'verify' ? {} : { corsOrigins: ['https://a.example.com', 'https://b.example.com'] }),
    })
  })

  it('share the account’s concurrency unless the deployer reserves some', () => {
    expect(lambda('Read')).not.toHaveProperty('ReservedConcurrentExecutions')
    expect(lambda('Read', { readConcurrency: 500, writeConcurrency: 50 })).toMatchObject({
      ReservedConcurrentExecutions: 500,
    })
    expect(lambda('Write', { readConcurrency: 500, writeConcurrency: 50 })).toMatchObject({
      ReservedConcurrentExecutions: 50,
    })
  })
})

describe('logs', () => {
  it.each(SIDES)('of %s are JSON, in their own log group', (side) => {
    expect(lambda(side).LoggingConfig).toEqual({
      LogFormat: 'JSON',
      LogGroup: { Ref: expect.stringMatching(new RegExp(`^Service${side}Logs`)) },
    })
  })

  it('expire after 90 days or the configured time, and outlive the stack', () => {
    for (const [days, service] of [
      [90, {}],
      [365, { logRetentionDays: 365 }],
    ] as const) {
      const groups = Object.values(synthesize(service).resources('AWS::Logs::LogGroup'))
      expect(groups).toHaveLength(4)
      for (const group of groups)
        expect(group).toMatchObject({ DeletionPolicy: 'Retain', Properties: { RetentionInDays: days } })
    }
  })

  it('of the gateway use a role of the account, which the stack sets unless told otherwise', () => {
    expect(synthesize().resource('AWS::ApiGateway::Account')).toMatchObject({ DeletionPolicy: 'Retain' })
    expect(warnings({ alarmTopicArn: ARNS.topic })).toEqual([
      expect.stringContaining('replaces the role with which all REST APIs of this account'),
    ])
    expect(synthesize({ gatewayLogRole: false }).resources('AWS::ApiGateway::Account')).toEqual({})
  })
})

describe('logs with a key of the deployer', () => {
  it('are encrypted with it', () => {
    const groups = Object.values(synthesize({ kmsKeyArn: ARNS.key }).resources('AWS::Logs::LogGroup'))
    for (const { Properties } of groups) expect(Properties.KmsKeyId).toBe(ARNS.key)
  })
})

describe('alarms', () => {
  const alarms = (...args: Parameters<typeof synthesize>) =>
    Object.values(synthesize(...args).resources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties)
  const linked = (kind: string) =>
    alarms().filter(({ AlarmDescription }) =>
      String(AlarmDescription).endsWith(`docs/operations.md#alarm-${kind}`),
    )

  it('each link to their section of the runbook', () => {
    expect(ALARM_KINDS.flatMap(linked)).toHaveLength(alarms().length)
  })

  it('count the 429s of the access log, and deliveries that SQS leaves out of the age of its queue', () => {
    const filters = Object.values(synthesize().resources('AWS::Logs::MetricFilter'))
    const counted = filters.map(({ Properties }) => {
      const [transformation] = Properties.MetricTransformations as Record<string, unknown>[]
      const name = JSON.stringify(transformation?.MetricName)
      const watching = alarms().filter(({ MetricName }) => JSON.stringify(MetricName) === name)
      return [Properties.FilterPattern, watching.length]
    })
    expect(counted).toEqual([
      ['{ $.status = "429" }', 1],
      ['{ $.delivery > 3 }', 1],
    ])
  })

  it('stay silent while the service is idle', () => {
    for (const alarm of alarms()) expect(alarm.TreatMissingData).toBe('notBreaching')
  })

  it('notify the configured topic when they start and when they end', () => {
    for (const { AlarmActions, OKActions } of alarms({ alarmTopicArn: ARNS.topic })) {
      expect(AlarmActions).toEqual([ARNS.topic])
      expect(OKActions).toEqual([ARNS.topic])
    }
    for (const alarm of alarms()) expect(alarm).not.toHaveProperty('AlarmActions')
  })

  it('are a warning at synth while no topic is configured', () => {
    expect(warnings({ gatewayLogRole: false })).toEqual([expect.stringContaining('alarms notify no one')])
  })

  it('are on the dashboard', () => {
    const body = JSON.stringify(synthesize().resource('AWS::CloudWatch::Dashboard').Properties)
    for (const id of Object.keys(synthesize().resources('AWS::CloudWatch::Alarm'))) expect(body).toContain(id)
  })
})

describe('the stack', () => {
  it('has termination protection unless the deployer turns it off', () => {
    expect(buildStack({}).terminationProtection).toBe(true)
    expect(buildStack({}, { terminationProtection: false }).terminationProtection).toBe(false)
  })

  it('names its API after itself, so that two deployments have separate metrics', () => {
    const name = (stackName: string) =>
      Object.values(
        Template.fromStack(buildStack({}, { stackName })).findResources('AWS::ApiGateway::RestApi'),
      ).map(({ Properties }) => Properties.Name)
    expect(name('Artifacts')).toEqual(['Artifacts-Service'])
    expect(name('Models')).toEqual(['Models-Service'])
  })

  it('buys no metrics per method', () => {
    const { MethodSettings } = synthesize().resource('AWS::ApiGateway::Stage').Properties
    expect(MethodSettings).toEqual([expect.objectContaining({ MetricsEnabled: false })])
  })

  it('outputs the names that its users and operators need', () => {
    expect(Object.keys(synthesize().template.toJSON().Outputs as object).sort()).toEqual([
      'AccessLogGroup',
      'ApiUrl',
      'BlobBucketName',
      'DeadLetterQueueUrl',
      'LedgerTableName',
      'ReadLogGroup',
      'RestApiId',
      'StagingBucketName',
      'UploadsTableName',
      'VerificationQueueUrl',
      'VerifyLogGroup',
      'WriteLogGroup',
    ])
  })

  it('outputs the API root without a trailing slash', () => {
    const address = JSON.stringify(synthesize().template.toJSON().Outputs.ApiUrl.Value)
    expect(address).toMatch(/,"\/",\{"Ref":"ServiceApiRestApiDeploymentStagev1\w*"\}\]\]\}$/)
  })
})
