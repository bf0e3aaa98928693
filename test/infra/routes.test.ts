/** The gateway has the routes of the table, each answered by the side that its access names, under the deployer's choice of access. */

import { Match, Template } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { ROUTES } from '../../lib/protocol/routes.ts'
import { ARNS, buildStack, statements, synthesize } from './synthesized.ts'

interface GatewayMethod {
  readonly path: string
  readonly method: string
  readonly side: 'read' | 'write'
  readonly properties: Record<string, unknown>
}

/** Every method of the gateway, with its path as the routes table writes it. */
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
  it('are those of the table: each goes to the side of its access', () => {
    for (const { method, path, access } of Object.values(ROUTES)) {
      const here = byPath(path)
      const chosen =
        here.find((candidate) => candidate.method === method) ?? here.find(({ method: any }) => any === 'ANY')
      expect(chosen?.side, `${method} ${path}`).toBe(access)
    }
  })

  it('reach the write side by nothing else', () => {
    const expected = Object.values(ROUTES).flatMap(({ method, path, access }) =>
      access === 'write' ? [`${method} ${path} → write`] : [],
    )
    const found = methods()
      .filter(({ side }) => side === 'write')
      .map(line)
    expect(found.sort()).toEqual(expected.sort())
  })

  it('leave no path and no method to the gateway: what the table does not know gets our 404 or 405', () => {
    const paths = new Set(methods().map(({ path }) => path))
    for (const path of paths) expect(byPath(path).map(line), path).toContain(`ANY ${path || '/'} → read`)
    expect(paths).toContain('/{proxy+}')
    const { resources } = synthesize()
    expect(paths.size).toBe(Object.keys(resources('AWS::ApiGateway::Resource')).length + 1)
  })

  it('hand the request over as it is, to a function that only this API may call', () => {
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

  it('is by AWS credentials unless something else is chosen', () => {
    expect(authorizations()).toEqual(new Set(['AWS_IAM']))
  })

  it('by Cognito asks every method for a token of the named pools', () => {
    const service: BucketServiceProps = { access: 'cognito', cognitoUserPoolArns: [ARNS.userPool] }
    expect(authorizations(service)).toEqual(new Set(['COGNITO_USER_POOLS']))
    expect(synthesize(service).resource('AWS::ApiGateway::Authorizer').Properties).toMatchObject({
      Type: 'COGNITO_USER_POOLS',
      ProviderARNs: [ARNS.userPool],
    })
  })

  it('by Cognito tells readers from writers by their scopes', () => {
    const scoped = methods({
      access: 'cognito',
      cognitoUserPoolArns: [ARNS.userPool],
      cognitoReadScopes: ['bucket/read'],
      cognitoWriteScopes: ['bucket/write'],
    })
    for (const { side, properties } of scoped)
      expect(properties.AuthorizationScopes).toEqual([`bucket/${side}`])
  })

  it('by a Lambda authorizer asks it about every request anew', () => {
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

  it('by nobody is open, and says so at every synth', () => {
    expect(authorizations({ access: 'none' })).toEqual(new Set(['NONE']))
    const warnings = (service: BucketServiceProps) =>
      buildStack(service)
        .node.findAll()
        .flatMap(({ node }) => node.metadata)
        .filter(({ type }) => type === 'aws:cdk:warning')
        .map(({ data }) => String(data))
    expect(warnings({ access: 'none' })).toEqual([expect.stringContaining('without credentials')])
    expect(warnings({})).toEqual([])
  })

  it('may ask for an API key beside it, counted by a usage plan', () => {
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

  it('get no preflight answered without credentials unless an origin is named', () => {
    expect(methods().map(({ method }) => method)).not.toContain('OPTIONS')
  })

  it('of named origins get theirs answered on every path, without credentials or API key', () => {
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
  const policy = (service: BucketServiceProps) =>
    statements(synthesize(service).resource('AWS::ApiGateway::RestApi').Properties.Policy)
  const deny = {
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 'execute-api:Invoke',
    Resource: 'execute-api:/*',
    Condition: { StringNotEquals: { 'aws:SourceVpce': vpcEndpointIds } },
  }

  it('answers only through the named endpoints', () => {
    expect(synthesize({ vpcEndpointIds }).resource('AWS::ApiGateway::RestApi').Properties).toMatchObject({
      EndpointConfiguration: { Types: ['PRIVATE'], VpcEndpointIds: vpcEndpointIds },
    })
    expect(policy({ vpcEndpointIds })).toEqual([expect.objectContaining(deny)])
  })

  it('leaves the decision to its authorizer, and with IAM to the caller’s own permissions', () => {
    expect(policy({ vpcEndpointIds }).map(({ Effect }) => Effect)).toEqual(['Deny'])
    const cognito = policy({ vpcEndpointIds, access: 'cognito', cognitoUserPoolArns: [ARNS.userPool] })
    expect(cognito.map(({ Effect }) => Effect)).toEqual(['Deny', 'Allow'])
  })

  it('with IAM lets the preflights of named origins through, which nobody can sign, and nothing else', () => {
    const [denied, allowed, ...others] = policy({ vpcEndpointIds, corsOrigins: ['https://app.example.com'] })
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

  it('is deployed anew when its policy changes', () => {
    const deployment = (id: string) =>
      Object.keys(synthesize({ vpcEndpointIds: [id] }).resources('AWS::ApiGateway::Deployment'))
    expect(deployment('vpce-0123456789abcdef0')).not.toEqual(deployment('vpce-0123456789abcdef1'))
  })
})

describe('the gateway', () => {
  const api = () => synthesize().resource('AWS::ApiGateway::RestApi').Properties
  const stage = (service?: BucketServiceProps) =>
    synthesize(service).resource('AWS::ApiGateway::Stage').Properties

  it('is regional, takes all bodies as bytes, and never compresses', () => {
    expect(api()).toMatchObject({ BinaryMediaTypes: ['*/*'], EndpointConfiguration: { Types: ['REGIONAL'] } })
    expect(api()).not.toHaveProperty('MinimumCompressionSize')
  })

  it('has one stage, named like the root of the API', () => {
    expect(stage()).toMatchObject({ StageName: 'v1' })
  })

  it('slows callers down where the deployer says', () => {
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

  it('logs one line per request, with nothing that could hold a secret', () => {
    const { AccessLogSetting, MethodSettings } = stage() as {
      AccessLogSetting: { Format: string; DestinationArn: unknown }
      MethodSettings: Record<string, unknown>[]
    }
    const fields = Object.values(JSON.parse(AccessLogSetting.Format) as Record<string, string>)
    expect(fields).toContain('$context.path')
    expect(fields).toContain('$context.requestId')
    // The variables of API Gateway that hold a query string, a header, a token or a key.
    for (const field of fields)
      expect(field).not.toMatch(/querystring|header|override|claims|identity\.apiKey$|clientCert/i)
    expect(
      MethodSettings.map(({ LoggingLevel, DataTraceEnabled }) => [LoggingLevel, DataTraceEnabled]),
    ).toEqual([['OFF', false]])
  })

  it('stands behind the firewall that the deployer names, but for emulators, which refuse to', () => {
    const webAclArn = ARNS.webAcl
    expect(synthesize({ webAclArn }).resource('AWS::WAFv2::WebACLAssociation').Properties).toMatchObject({
      WebACLArn: webAclArn,
    })
    expect(synthesize({ webAclArn, local: true }).resources('AWS::WAFv2::WebACLAssociation')).toEqual({})
  })

  it('for an emulator is otherwise the same', () => {
    expect(synthesize({ local: true }).template.toJSON()).toEqual(synthesize().template.toJSON())
  })
})

describe('a domain of one’s own', () => {
  const domain: BucketServiceProps = { domainName: 'artifacts.example.com', certificateArn: ARNS.certificate }
  const mutual: BucketServiceProps = {
    ...domain,
    truststoreUri: 's3://trust/roots.pem',
    truststoreVersion: 'v7',
  }

  it('has the paths of the contract, and is the address that the stack gives out', () => {
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

  it('with a truststore asks callers for a certificate, and closes the address without one', () => {
    const { template } = synthesize(mutual)
    template.hasResourceProperties('AWS::ApiGateway::DomainName', {
      MutualTlsAuthentication: { TruststoreUri: 's3://trust/roots.pem', TruststoreVersion: 'v7' },
    })
    template.hasResourceProperties('AWS::ApiGateway::RestApi', { DisableExecuteApiEndpoint: true })
  })
})
