/** Synth refuses an invalid configuration and reports all of its errors. */
import { readFileSync } from 'node:fs'
import { Aws } from 'aws-cdk-lib'
import { describe, expect, it } from 'vitest'
import { DEPLOYED_MAX_ARTIFACT_BYTES, GIB, MIB } from '../../lib/domain/limits.ts'
import { readSettings, readStackSettings, SettingsError } from '../../lib/infra/read-settings.ts'
import { DEFAULTS, SETTING_NAMES } from '../../lib/infra/settings.ts'
import { TIMEOUT_SECONDS } from '../../lib/infra/timeouts.ts'
import { ARNS, buildStack } from './synthesized.ts'

function errorsOf(
  values: Record<string, unknown>,
  read: (values: Record<string, unknown>) => unknown = readSettings,
) {
  try {
    read(values)
  } catch (error) {
    if (error instanceof SettingsError) return error.errors
    throw error
  }
  return []
}

describe('settings', () => {
  it('all have a default or are optional', () => {
    expect(readSettings({})).toEqual(DEFAULTS)
  })

  it('may be text, as on the command line', () => {
    const values = {
      access: 'none',
      throttleRate: '7',
      apiKey: 'true',
      corsOrigins: 'https://a.example.com, https://b.example.com',
      logRetentionDays: '7',
    }
    expect(readSettings(values)).toMatchObject({
      access: 'none',
      throttleRate: 7,
      apiKey: true,
      corsOrigins: ['https://a.example.com', 'https://b.example.com'],
      logRetentionDays: 7,
    })
  })

  it('are reported with all errors at once', () => {
    const found = errorsOf({
      acces: 'none',
      access: 'open',
      apiKey: 'yes',
      throttleRate: 0,
      throttleBurst: '1.5',
      logRetentionDays: 42,
      kmsKeyArn: 'alias/mine',
      corsOrigins: ['https://app.example.com/', '*'],
      vpcEndpointIds: 'vpc-1',
      vpcIds: 'vpc-0123456789abcdef0',
      domainName: '*.example.com',
      certificateArn: ARNS.certificate,
      breakGlassRoleArn: 'arn:aws:iam::123456789012:role/*',
      alarmTopicArn: 'arn:aws-iso:sns:us-iso-east-1:123456789012:operators',
      trustedReaders: ['*', '123456789012'],
      maxArtifactBytes: 40 * GIB + 1,
      objectLockMode: 'governance',
    })
    expect(found.map((error) => /^[\w, ]+(?=:)|(?<=^unknown setting ")\w+/.exec(error)?.[0])).toEqual([
      'acces',
      'access',
      'apiKey',
      'throttleRate',
      'throttleBurst',
      'logRetentionDays',
      'kmsKeyArn',
      'corsOrigins',
      'vpcEndpointIds',
      'domainName',
      'breakGlassRoleArn',
      'alarmTopicArn',
      'trustedReaders',
      'maxArtifactBytes',
      'domainName',
      'objectLockMode, objectLockDays',
    ])
    expect(found.find((error) => error.startsWith('maxArtifactBytes'))).toMatch(/15 minutes.*40 GiB/)
    expect(found.find((error) => error.startsWith('corsOrigins'))).toMatch(/example\.com\/".*"\*"/)
  })

  it.each([
    [{ access: 'cognito' }, 'cognitoUserPoolArns'],
    [{ cognitoUserPoolArns: ARNS.userPool }, 'cognitoUserPoolArns'],
    [
      { access: 'cognito', cognitoUserPoolArns: ARNS.userPool, cognitoReadScopes: 'b/read' },
      'cognitoReadScopes',
    ],
    [{ access: 'lambda' }, 'authorizerFunctionArn'],
    [{ authorizerFunctionArn: ARNS.authorizer }, 'authorizerFunctionArn'],
    [{ apiKeyMonthlyQuota: 5 }, 'apiKeyMonthlyQuota'],
    [{ domainName: 'a.example.com' }, 'domainName, certificateArn'],
    [{ truststoreUri: 's3://trust/roots.pem' }, 'truststoreUri'],
    [{ truststoreVersion: 'v1' }, 'truststoreVersion'],
    [
      {
        domainName: 'a.example.com',
        certificateArn: ARNS.certificate,
        vpcEndpointIds: 'vpce-01234567',
        vpcIds: 'vpc-01234567',
      },
      'domainName',
    ],
    [{ objectLockDays: 5 }, 'objectLockMode'],
    [{ vpcEndpointIds: 'vpce-01234567' }, 'vpcEndpointIds, vpcIds'],
    [{ vpcIds: 'vpc-01234567' }, 'vpcEndpointIds, vpcIds'],
    [{ access: 'none', trustedReaders: '123456789012' }, 'trustedReaders'],
    [{ blobBucketName: 'retained', objectLockMode: 'governance', objectLockDays: 1 }, 'objectLockMode'],
    [{ blobBucketName: 'retained', storageClass: 'glacier-ir' }, 'storageClass'],
  ])('%j is refused as contradictory', (values, about) => {
    expect(errorsOf(values)).toEqual([expect.stringMatching(new RegExp(`^${about}`))])
  })

  it('allow artifacts of any size that the verifier can read before its timeout', () => {
    expect(readSettings({ maxArtifactBytes: DEPLOYED_MAX_ARTIFACT_BYTES }).maxArtifactBytes).toBe(40 * GIB)
    const seconds = TIMEOUT_SECONDS.verify - 60
    expect(DEPLOYED_MAX_ARTIFACT_BYTES / seconds).toBeLessThan(50 * MIB)
  })

  it('are each explained in docs/deployment.md', () => {
    const rows = readFileSync('docs/deployment.md', 'utf8').split('## Settings')[1]?.split('## ')[0] ?? ''
    const explained = rows
      .split('\n')
      .flatMap((row) => (row.split('|')[1] ?? '').match(/(?<=`)\w+(?=`)/g) ?? [])
    expect(explained.sort()).toEqual([...SETTING_NAMES].sort())
  })

  it('may be tokens, whose value is known only at deployment', () => {
    expect(readSettings({ alarmTopicArn: Aws.ACCOUNT_ID }).alarmTopicArn).toBe(Aws.ACCOUNT_ID)
  })

  it('of the app are reported together with those of the service', () => {
    const values = { stackName: '1 stack', terminationProtection: 'perhaps', access: 'open' }
    expect(errorsOf(values, readStackSettings).map((error) => error.split(':')[0])).toEqual([
      'stackName',
      'terminationProtection',
      'access',
    ])
    expect(
      readStackSettings({ stackName: 'Artifacts-2', terminationProtection: 'false', access: 'none' }),
    ).toEqual({
      stackName: 'Artifacts-2',
      terminationProtection: false,
      service: { ...DEFAULTS, access: 'none' },
    })
  })

  it('of the app are valid for the construct, with every access', () => {
    const accesses = [
      {},
      { access: 'none' },
      { access: 'cognito', cognitoUserPoolArns: ARNS.userPool },
      { access: 'lambda', authorizerFunctionArn: ARNS.authorizer },
    ]
    for (const values of accesses) {
      const { service } = readStackSettings(values)
      expect(readSettings(service)).toEqual(service)
    }
  })

  it('name only partitions that the project supports, and so does the region of the stack', () => {
    for (const partition of ['aws', 'aws-cn', 'aws-us-gov'])
      expect(errorsOf({ kmsKeyArn: ARNS.key.replace('arn:aws:', `arn:${partition}:`) })).toEqual([])
    const inRegion = (region: string) => () => buildStack({}, { env: { region, account: '123456789012' } })
    expect(inRegion('us-gov-west-1')).not.toThrow()
    expect(inRegion('us-iso-east-1')).toThrow(/us-iso-east-1 is in the partition aws-iso; supported/)
  })

  it('are validated by the construct itself', () => {
    expect(() => buildStack({ throttleRate: -1, logRetentionDays: 4 as never })).toThrow(
      /throttleRate: .*\n.*logRetentionDays: /,
    )
  })
})
