/** Canary releases: with `canaryMinutes`, everything invokes the functions by aliases that CodeDeploy shifts, under alarms. */
import { describe, expect, it } from 'vitest'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { statements, synthesize } from './synthesized.ts'

const SIDES = ['Read', 'Write', 'Verify'] as const
const canary: BucketServiceProps = { canaryMinutes: 15 }

/** The logical ids that a value refers to. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  if ('Ref' in value) return [String(value.Ref)]
  if ('Fn::GetAtt' in value) return [String((value['Fn::GetAtt'] as unknown[])[0])]
  return Object.values(value).flatMap(references)
}

const idsOf = (type: string, service = canary) => Object.keys(synthesize(service).resources(type))
/** The logical ids of what the API and the queues invoke. */
const invoked = (service: BucketServiceProps) => {
  const { resources } = synthesize(service)
  const properties = (type: string) => Object.values(resources(type)).map(({ Properties }) => Properties)
  const targets = [
    ...properties('AWS::ApiGateway::Method').map(({ Integration }) => (Integration as { Uri?: unknown }).Uri),
    ...properties('AWS::Lambda::Permission').map(({ FunctionName }) => FunctionName),
    ...properties('AWS::Lambda::EventSourceMapping').map(({ FunctionName }) => FunctionName),
  ]
  return new Set(targets.flatMap(references).filter((id) => /^Service(Read|Write|Verify)/.test(id)))
}

describe('without canaryMinutes', () => {
  it('the API and the queues invoke the functions, and no version, alias or deployment group exists', () => {
    expect([...invoked({})].sort()).toEqual(idsOf('AWS::Lambda::Function', {}).sort())
    for (const type of ['AWS::Lambda::Version', 'AWS::Lambda::Alias', 'AWS::CodeDeploy::DeploymentGroup'])
      expect(idsOf(type, {}), type).toEqual([])
  })
})

describe('with canaryMinutes', () => {
  it('the API and the queues invoke only the alias of each function', () => {
    expect([...invoked(canary)].sort()).toEqual(idsOf('AWS::Lambda::Alias').sort())
    expect(idsOf('AWS::Lambda::Alias')).toHaveLength(SIDES.length)
  })

  it('the gateway is deployed again when the aliases replace the functions', () => {
    expect(idsOf('AWS::ApiGateway::Deployment')).not.toEqual(idsOf('AWS::ApiGateway::Deployment', {}))
  })

  it.each([
    [15, 'CodeDeployDefault.LambdaCanary10Percent15Minutes'],
    [30, 'CodeDeployDefault.LambdaCanary10Percent30Minutes'],
  ] as const)('CodeDeploy shifts each alias in %i minutes, until an alarm fires', (canaryMinutes, config) => {
    const { resources, resource } = synthesize({ canaryMinutes })
    for (const side of SIDES) {
      const group = resource('AWS::CodeDeploy::DeploymentGroup', side)
      expect(group.Properties).toMatchObject({
        DeploymentConfigName: config,
        AutoRollbackConfiguration: {
          Enabled: true,
          Events: expect.arrayContaining(['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM']),
        },
        AlarmConfiguration: { Enabled: true },
      })
      const { Alarms } = group.Properties.AlarmConfiguration as { Alarms: unknown }
      expect(references(Alarms).map((id) => id.replace(/^ServiceAlarms|[0-9A-F]{8}$/g, ''))).toEqual([
        'ApiServerErrors',
        'ReadErrors',
        'WriteErrors',
        'VerifyErrors',
        'VerificationRetried',
      ])
    }
    for (const alias of Object.values(resources('AWS::Lambda::Alias')))
      expect(alias).toHaveProperty('UpdatePolicy.CodeDeployLambdaAliasUpdate.DeploymentGroupName')
  })

  it('earlier versions are kept for a rollback', () => {
    const versions = Object.values(synthesize(canary).resources('AWS::Lambda::Version'))
    expect(versions).toHaveLength(SIDES.length)
    for (const { DeletionPolicy } of versions) expect(DeletionPolicy).toBe('Retain')
  })

  it('CodeDeploy may shift these three aliases and read alarms, for this account only', () => {
    const { Properties } = synthesize(canary).resource('AWS::IAM::Role', 'Releases')
    expect(Properties).not.toHaveProperty('ManagedPolicyArns')
    expect(Properties.AssumeRolePolicyDocument).toMatchObject({
      Statement: [{ Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } } }],
    })
    const [{ PolicyDocument }] = Properties.Policies as [{ PolicyDocument: unknown }]
    const [aliases, alarms, ...others] = statements(PolicyDocument)
    expect(aliases?.Action).toEqual([
      'lambda:GetAlias',
      'lambda:UpdateAlias',
      'lambda:GetProvisionedConcurrencyConfig',
    ])
    expect(references(aliases?.Resource).sort()).toEqual(idsOf('AWS::Lambda::Function').sort())
    expect(alarms?.Action).toBe('cloudwatch:DescribeAlarms')
    expect(others).toEqual([])
  })

  it('readOnly releases at once and without alarms, because stores fail on purpose', () => {
    const { resource } = synthesize({ ...canary, readOnly: true })
    const { Properties } = resource('AWS::CodeDeploy::DeploymentGroup', 'Read')
    expect(Properties.DeploymentConfigName).toBe('CodeDeployDefault.LambdaAllAtOnce')
    expect(Properties).not.toHaveProperty('AlarmConfiguration')
    expect(JSON.stringify(Properties.AutoRollbackConfiguration)).not.toContain('ALARM')
  })

  it('no resource depends on itself: the alarms that end a release do not depend on the API', () => {
    const { Resources } = synthesize(canary).template.toJSON() as { Resources: Record<string, object> }
    const dependencies = (resource: object) => [
      ...references(resource),
      ...('DependsOn' in resource ? [resource.DependsOn].flat().map(String) : []),
    ]
    const done = new Set<string>()
    const visit = (id: string, path: readonly string[]): void => {
      expect(path, [...path, id].join(' → ')).not.toContain(id)
      if (done.has(id)) return
      for (const next of dependencies(Resources[id] ?? {})) visit(next, [...path, id])
      done.add(id)
    }
    for (const id of Object.keys(Resources)) visit(id, [])
  })
})
