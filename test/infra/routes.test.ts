/** The gateway has the routes of the table. Each goes to the function of its access, under the configured authorization. */
import { Match, Template } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { ROUTES } from '../../lib/protocol/routes.ts'
import { ARNS, statements, synthesize, warnings } from './synthesized.ts'

interface GatewayMethod {
  readonly path: string
  readonly method: string
  readonly side: 'read' | 'write'
  readonly properties: Record<string, unknown>
}

/** Every method of the gateway, with its path in the form of the routes table. */
function methods(service: BucketServiceProps = {}): GatewayMethod[] {
  const { resources } = synthesize(service)
  const parts = resources('AWS::ApiGateway::Resource')
  const pathOf = (id: unknown): string => {
    const name = (id as { Ref?: string }).Ref
    const part = name === undefined ? undefined : parts[name]
    return part ? `${pathOf(part.Properties.ParentId)}/${String(part.Properties.PathPart)}` : ''
  }
  return Object.values(resources('AWS::ApiGateway::Method')).map(({ Properties }) => ({
    path: pathOf(Properties.ResourceId),
    method: String(Properties.HttpMethod),
    side: JSON.stringify(Properties.Integration).includes('ServiceWriteFunction') ? 'write' : 'read',
    properties: Properties,
  }))
}
const line = ({ path, method, side }: GatewayMethod) => `${method} ${path || '/'} → ${side}`
const byPath = (path: string) => methods().filter((method) => method.path === path)

describe('the routes of the gateway', () => {
  it('are those of the table, each on the side of its access', () => {
    for (const { method, path, access } of Object.values(ROUTES)) {
      const here = byPath(path)
      const chosen =
        here.find((candidate) => candidate.method === method) ?? here.find(({ method: any }) => any === 'ANY')
      expect(chosen?.side, `${method} ${path}`).toBe(access)
    }
  })

  it('reach the write side only through write routes', () => {
    const expected = Object.values(ROUTES).flatMap(({ method, path, access }) =>
      access === 'write' ? [`${method} ${path} → write`] : [],
    )
    const found = methods()
      .filter(({ side }) => side === 'write')
      .map(line)
    expect(found.sort()).toEqual(expected.sort())
  })

  it('send every unknown path and method to the read side, for our 404 or 405', () => {
    const paths = new Set(methods().map(({ path }) => path))
    for (const path of paths) expect(byPath(path).map(line), path).toContain(`ANY ${path || '/'} → read`)
    expect(paths).toContain('/{proxy+}')
    const { resources } = synthesize()
    expect(paths.size).toBe(Object.keys(resources('AWS::ApiGateway::Resource')).length + 1)
  })

  it('pass the request unchanged to a function that only this API may call', () => {
    for (const { properties } of methods())
      expect(properties.Integration).toMatchObject({ Type: 'AWS_PROXY', IntegrationHttpMethod: 'POST' })
    const allowed = Object.values(synthesize().resources('AWS::Lambda::Permission'))
    expect(allowed).toHaveLength(2)
    for (const { Properties } of allowed) {
      expect(Properties.Principal).toBe('apigateway.amazonaws.com')
      expect(JSON.stringify(Properties.SourceArn)).toContain('ServiceApiRestApi')
    }
  })
})

describe('access', () => {
  const authorizations = (service?: BucketServiceProps) =>
    new Set(methods(service).map(({ properties }) => properties.AuthorizationType))

  it('requires AWS credentials by default', () => {
    expect(authorizations()).toEqual(new Set(['AWS_IAM']))
  })

  it('with Cognito requires a token of the configured pools for every method', () => {
    const service: BucketServiceProps = { access: 'cognito', cognitoUserPoolArns: [ARNS.userPool] }
    expect(authorizations(service)).toEqual(new Set(['COGNITO_USER_POOLS']))
    expect(synthesize(service).resource('AWS::ApiGateway::Authorizer').Properties).toMatchObject({
      Type: 'COGNITO_USER_POOLS',
      ProviderARNs: [ARNS.userPool],
    })
  })

  it('with Cognito separates readers from writers by scope', () => {
    const scoped = methods({
      access: 'cognito',
      cognitoUserPoolArns: [ARNS.userPool],
      cognitoReadScopes: ['bucket/read'],
      cognitoWriteScopes: ['bucket/write'],
    })
    for (const { side, properties } of scoped)
      expect(properties.AuthorizationScopes).toEqual([`bucket/${side}`])
  })

  it('with a Lambda authorizer has it decide every request', () => {
    const service: BucketServiceProps = { access: 'lambda', authorizerFunctionArn: ARNS.authorizer }
    expect(authorizations(service)).toEqual(new Set(['CUSTOM']))
    expect(synthesize(service).resource('AWS::ApiGateway::Authorizer').Properties).toMatchObject({
      Type: 'REQUEST',
      IdentitySource: 'method.request.header.Authorization',
      AuthorizerResultTtlInSeconds: 0,
    })
    Template.fromStack(synthesize(service).stack).hasResourceProperties('AWS::Lambda::Permission', {
      FunctionName: ARNS.authorizer,
      Principal: 'apigateway.amazonaws.com',
    })
  })

  it('none is open, with a warning at every synth', () => {
    expect(authorizations({ access: 'none' })).toEqual(new Set(['NONE']))
    const decided = { alarmTopicArn: ARNS.topic, gatewayLogRole: true }
    expect(warnings({ ...decided, access: 'none' })).toEqual([expect.stringContaining('without credentials')])
    expect(warnings(decided)).toEqual([])
  })

  it('may require an API key in addition, metered by a usage plan', () => {
    const service: BucketServiceProps = {
      apiKey: true,
      apiKeyMonthlyQuota: 1_000_000,
      throttleRate: 50,
      throttleBurst: 20,
    }
    for (const { properties } of methods(service)) expect(properties.ApiKeyRequired).toBe(true)
    expect(synthesize(service).resource('AWS::ApiGateway::UsagePlan').Properties).toMatchObject({
      Quota: { Limit: 1_000_000, Period: 'MONTH' },
      Throttle: { RateLimit: 50, BurstLimit: 20 },
    })
    synthesize(service).template.hasOutput('ApiKeyId', {})
    expect(synthesize().resources('AWS::ApiGateway::UsagePlan')).toEqual({})
  })
})

describe('web pages', () => {
  const corsOrigins = ['https://app.example.com', 'http://localhost:5173']

  it('get no preflight route unless an origin is configured', () => {
    expect(methods().map(({ method }) => method)).not.toContain('OPTIONS')
  })

  it('of configured origins may send preflights to every path, without credentials or API key', () => {
    const all = methods({ corsOrigins, apiKey: true })
    const preflights = all.filter(({ method }) => method === 'OPTIONS')
    expect(preflights).toHaveLength(new Set(all.map(({ path }) => path)).size)
    for (const { properties, side } of preflights) {
      expect(side).toBe('read')
      expect(properties.AuthorizationType).toBe('NONE')
      expect(properties.ApiKeyRequired ?? false).toBe(false)
    }
  })
})

describe('a private API', () => {
  const vpcEndpointIds = ['vpce-0123456789abcdef0']
  const vpcIds = ['vpc-0123456789abcdef0']
  const isPrivate = { vpcEndpointIds, vpcIds }
  const policy = (service: BucketServiceProps) =>
    statements(synthesize(service).resource('AWS::ApiGateway::RestApi').Properties.Policy)
  const deny = {
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 'execute-api:Invoke',
    Resource: 'execute-api:/*',
    Condition: { StringNotEquals: { 'aws:SourceVpce': vpcEndpointIds } },
  }

  it('accepts requests only through the configured endpoints', () => {
    expect(synthesize(isPrivate).resource('AWS::ApiGateway::RestApi').Properties).toMatchObject({
      EndpointConfiguration: { Types: ['PRIVATE'], VpcEndpointIds: vpcEndpointIds },
    })
    expect(policy(isPrivate)).toEqual([expect.objectContaining(deny)])
  })

  it('leaves the decision to its authorizer, and with IAM to the caller’s own permissions', () => {
    expect(policy(isPrivate).map(({ Effect }) => Effect)).toEqual(['Deny'])
    const cognito = policy({ ...isPrivate, access: 'cognito', cognitoUserPoolArns: [ARNS.userPool] })
    expect(cognito.map(({ Effect }) => Effect)).toEqual(['Deny', 'Allow'])
  })

  it('with IAM allows only unsigned preflights of configured origins', () => {
    const [denied, allowed, ...others] = policy({ ...isPrivate, corsOrigins: ['https://app.example.com'] })
    expect(denied).toMatchObject(deny)
    expect(allowed).toEqual({
      Sid: 'PreflightsAreUnsigned',
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: 'execute-api:Invoke',
      Resource: 'execute-api:/*/OPTIONS/*',
    })
    expect(others).toEqual([])
  })

  it('gets a new deployment when its policy changes', () => {
    const deployment = (id: string) =>
      Object.keys(synthesize({ vpcEndpointIds: [id], vpcIds }).resources('AWS::ApiGateway::Deployment'))
    expect(deployment('vpce-0123456789abcdef0')).not.toEqual(deployment('vpce-0123456789abcdef1'))
  })
})

describe('trust in other accounts', () => {
  const policy = (service: BucketServiceProps) =>
    statements(synthesize(service).resource('AWS::ApiGateway::RestApi').Properties.Policy)
  const account = (id: string) => ({
    AWS: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:iam::${id}:root`]] },
  })

  it('is absent by default', () => {
    expect(synthesize().resource('AWS::ApiGateway::RestApi').Properties).not.toHaveProperty('Policy')
  })

  it('lets readers send GET and HEAD, and writers everything', () => {
    const role = 'arn:aws:iam::222222222222:role/trainer'
    expect(policy({ trustedReaders: ['111111111111'], trustedWriters: [role] })).toEqual([
      {
        Sid: 'TrustedReaders',
        Effect: 'Allow',
        Principal: account('111111111111'),
        Action: 'execute-api:Invoke',
        Resource: ['execute-api:/v1/GET/*', 'execute-api:/v1/HEAD/*'],
      },
      {
        Sid: 'TrustedWriters',
        Effect: 'Allow',
        Principal: { AWS: role },
        Action: 'execute-api:Invoke',
        Resource: 'execute-api:/*',
      },
    ])
  })

  it('in an organization excludes this account, whose callers need permissions of their own', () => {
    expect(policy({ trustedReaders: ['o-a1b2c3d4e5'] })).toEqual([
      expect.objectContaining({
        Sid: 'TrustedReadersOfOrganizations',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Condition: {
          StringEquals: { 'aws:PrincipalOrgID': ['o-a1b2c3d4e5'] },
          StringNotEquals: { 'aws:PrincipalAccount': { Ref: 'AWS::AccountId' } },
        },
      }),
    ])
  })

  it('keeps preflights of configured origins possible', () => {
    const sids = policy({
      trustedReaders: ['111111111111'],
      corsOrigins: ['https://app.example.com'],
    }).map(({ Sid }) => Sid)
    expect(sids).toEqual(['TrustedReaders', 'PreflightsAreUnsigned'])
  })
})

describe('the gateway', () => {
  const emulatorUrl = 'http://127.0.0.1:4566'
  const api = () => synthesize().resource('AWS::ApiGateway::RestApi').Properties
  const stage = (service?: BucketServiceProps) =>
    synthesize(service).resource('AWS::ApiGateway::Stage').Properties

  it('is regional, treats all bodies as binary, and never compresses', () => {
    expect(api()).toMatchObject({ BinaryMediaTypes: ['*/*'], EndpointConfiguration: { Types: ['REGIONAL'] } })
    expect(api()).not.toHaveProperty('MinimumCompressionSize')
  })

  it('has one stage, named after the API root', () => {
    expect(stage()).toMatchObject({ StageName: 'v1' })
  })

  it('throttles at the configured rate', () => {
    const limits = stage({ throttleRate: 10, throttleBurst: 5 }).MethodSettings
    expect(limits).toEqual([
      expect.objectContaining({
        HttpMethod: '*',
        ResourcePath: '/*',
        ThrottlingRateLimit: 10,
        ThrottlingBurstLimit: 5,
      }),
    ])
  })

  it('logs one line per request, without fields that may contain secrets', () => {
    const { AccessLogSetting, MethodSettings } = stage() as {
      AccessLogSetting: { Format: string; DestinationArn: unknown }
      MethodSettings: Record<string, unknown>[]
    }
    const fields = Object.values(JSON.parse(AccessLogSetting.Format) as Record<string, string>)
    expect(fields).toContain('$context.path')
    expect(fields).toContain('$context.requestId')
    // These variables contain a query string, a header, a token or a key.
    for (const field of fields)
      expect(field).not.toMatch(/querystring|header|override|claims|identity\.apiKey$|clientCert/i)
    expect(
      MethodSettings.map(({ LoggingLevel, DataTraceEnabled }) => [LoggingLevel, DataTraceEnabled]),
    ).toEqual([['OFF', false]])
  })

  it('is associated with the configured web ACL, except on emulators, which refuse it', () => {
    const webAclArn = ARNS.webAcl
    expect(synthesize({ webAclArn }).resource('AWS::WAFv2::WebACLAssociation').Properties).toMatchObject({
      WebACLArn: webAclArn,
    })
    expect(synthesize({ webAclArn, emulatorUrl }).resources('AWS::WAFv2::WebACLAssociation')).toEqual({})
  })

  it('is otherwise the same on an emulator', () => {
    const { Outputs, ...emulated } = synthesize({ emulatorUrl }).template.toJSON()
    const { Outputs: ofAws, ...onAws } = synthesize().template.toJSON()
    expect(emulated).toEqual(onAws)
    expect(Outputs).toEqual({
      ...ofAws,
      ApiUrl: {
        Value: {
          'Fn::Join': ['', [`${emulatorUrl}/_aws/execute-api/`, { Ref: 'ServiceApiRestApiD01AE7DF' }, '/v1']],
        },
      },
    })
  })
})

describe('a custom domain', () => {
  const domain: BucketServiceProps = { domainName: 'artifacts.example.com', certificateArn: ARNS.certificate }
  const mutual: BucketServiceProps = {
    ...domain,
    truststoreUri: 's3://trust/roots.pem',
    truststoreVersion: 'v7',
  }

  it('has the paths of the contract, and is the ApiUrl output', () => {
    const { template } = synthesize(domain)
    template.hasResourceProperties('AWS::ApiGateway::DomainName', {
      DomainName: 'artifacts.example.com',
      RegionalCertificateArn: ARNS.certificate,
      SecurityPolicy: 'TLS_1_2',
      MutualTlsAuthentication: Match.absent(),
    })
    template.hasResourceProperties('AWS::ApiGateway::BasePathMapping', { BasePath: 'v1' })
    template.hasOutput('ApiUrl', { Value: 'https://artifacts.example.com/v1' })
    template.hasOutput('DomainTarget', {})
  })

  it('with a truststore requires client certificates, and disables the default endpoint', () => {
    const { template } = synthesize(mutual)
    template.hasResourceProperties('AWS::ApiGateway::DomainName', {
      MutualTlsAuthentication: { TruststoreUri: 's3://trust/roots.pem', TruststoreVersion: 'v7' },
    })
    template.hasResourceProperties('AWS::ApiGateway::RestApi', { DisableExecuteApiEndpoint: true })
  })
})
