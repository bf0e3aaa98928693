/** The setting `healthProbe`: a function asks for the health of the API every five minutes, and may do nothing else. */
import { describe, expect, it } from 'vitest'
import { readSettings } from '../../lib/infra/read-settings.ts'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { firesAt } from './alarm-evaluation.ts'
import { ARNS, actionsOf, statements, synthesize } from './synthesized.ts'

const probed = () => synthesize({ healthProbe: true })

describe('healthProbe', () => {
  it('is off by default', () => {
    const { resources } = synthesize()
    expect(Object.keys(resources('AWS::Events::Rule'))).toEqual([])
    expect(Object.keys(resources('AWS::Lambda::Function'))).toHaveLength(3)
  })

  it('asks the deployed API every five minutes', () => {
    const { resource } = probed()
    expect(resource('AWS::Events::Rule').Properties).toMatchObject({ ScheduleExpression: 'rate(5 minutes)' })
    const { Environment } = resource('AWS::Lambda::Function', 'Probe').Properties
    expect(JSON.stringify(Environment)).toContain('execute-api')
  })

  it('may request the health of this API, write its log, and nothing else', () => {
    const { Properties } = probed().resource('AWS::IAM::Policy', 'ServiceProbePolicy')
    const [health, logs, ...others] = statements(Properties.PolicyDocument)
    expect(health && actionsOf(health)).toEqual(['execute-api:Invoke'])
    expect(JSON.stringify(health?.Resource)).toContain('/v1/GET/health')
    expect(JSON.stringify(health?.Resource)).not.toContain('*')
    expect(logs && actionsOf(logs)).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents'])
    expect(others).toEqual([])
  })

  it('fires its alarm after two failures of four, and not after one', () => {
    const { Properties } = probed().resource('AWS::CloudWatch::Alarm', 'HealthProbe')
    const failures = (...minutes: number[]) => minutes.map((at) => ({ metric: 'Errors', at, value: 1 }))
    expect(firesAt(Properties, failures(60, 65), 0)).toBeLessThanOrEqual(70)
    expect(firesAt(Properties, failures(60, 75), 0)).toBeLessThanOrEqual(80)
    expect(firesAt(Properties, failures(60), 0)).toBeUndefined()
  })

  it.each<[string, BucketServiceProps]>([
    ['a user pool', { access: 'cognito', cognitoUserPoolArns: [ARNS.userPool] }],
    ['a Lambda authorizer', { access: 'lambda', authorizerFunctionArn: ARNS.authorizer }],
    ['an API key', { apiKey: true }],
    ['a private API', { vpcEndpointIds: ['vpce-0123456789abcdef0'], vpcIds: ['vpc-0123456789abcdef0'] }],
  ])('is refused with %s, for which it has no credentials or no way', (_, settings) => {
    expect(() => readSettings({ ...settings, healthProbe: true })).toThrow(/healthProbe: has no credentials/)
    expect(() => readSettings({ ...settings })).not.toThrow()
  })
})
