/** The rules between settings: combinations that cannot be deployed, or that would have no effect. */
import type { SettingName, Settings } from './settings.ts'

/** Violated if `when` is true and `requires` is false. */
interface Rule {
  readonly when: boolean
  readonly requires: boolean
  readonly error: string
}

/**
 * @param values the raw values: an invalid setting is not reported as missing as well.
 * @returns one sentence per violated rule.
 */
export function contradictions(settings: Settings, values: Readonly<Record<string, unknown>>): string[] {
  const given = (...names: readonly SettingName[]) => names.every((name) => values[name] !== undefined)
  const anyOf = (...names: readonly SettingName[]) => names.some((name) => values[name] !== undefined)
  /** Settings that have an effect only together. */
  const together = (...names: readonly SettingName[]): Rule => ({
    when: anyOf(...names),
    requires: given(...names),
    error: `${names.join(', ')}: must be set together`,
  })
  const { access } = settings
  const rules: readonly Rule[] = [
    {
      when: access === 'cognito',
      requires: given('cognitoUserPoolArns'),
      error: 'cognitoUserPoolArns: required with access=cognito',
    },
    {
      when: given('cognitoUserPoolArns'),
      requires: access === 'cognito',
      error: 'cognitoUserPoolArns: has no effect without access=cognito',
    },
    {
      when: anyOf('cognitoReadScopes', 'cognitoWriteScopes'),
      requires: access === 'cognito' && given('cognitoReadScopes', 'cognitoWriteScopes'),
      error: 'cognitoReadScopes, cognitoWriteScopes: must be set together, with access=cognito',
    },
    {
      when: access === 'lambda',
      requires: given('authorizerFunctionArn'),
      error: 'authorizerFunctionArn: required with access=lambda',
    },
    {
      when: given('authorizerFunctionArn'),
      requires: access === 'lambda',
      error: 'authorizerFunctionArn: has no effect without access=lambda',
    },
    {
      when: settings.trustedReaders.length + settings.trustedWriters.length > 0,
      requires: access === 'iam',
      error: 'trustedReaders, trustedWriters: have no effect without access=iam',
    },
    {
      when: given('apiKeyMonthlyQuota'),
      requires: settings.apiKey,
      error: 'apiKeyMonthlyQuota: has no effect without apiKey=true',
    },
    {
      when: settings.healthProbe,
      requires:
        (access === 'iam' || access === 'none') &&
        !settings.apiKey &&
        !given('vpcEndpointIds') &&
        !given('truststoreUri'),
      error:
        'healthProbe: has no credentials for access=cognito, access=lambda, apiKey, mutual TLS (truststoreUri) or a private API (vpcEndpointIds)',
    },
    together('domainName', 'certificateArn'),
    {
      when: given('truststoreUri'),
      requires: given('domainName'),
      error: 'truststoreUri: mutual TLS requires domainName',
    },
    {
      when: given('truststoreVersion'),
      requires: given('truststoreUri'),
      error: 'truststoreVersion: has no effect without truststoreUri',
    },
    {
      when: given('domainName'),
      requires: !given('vpcEndpointIds'),
      error: 'domainName: a private API (vpcEndpointIds) cannot have a regional custom domain',
    },
    // Without `vpcIds`, a link of a private API would work from anywhere.
    together('vpcEndpointIds', 'vpcIds'),
    together('objectLockMode', 'objectLockDays'),
    {
      when: given('objectLockMode'),
      requires: !given('blobBucketName'),
      error: 'objectLockMode: set Object Lock on the existing S3 bucket (blobBucketName) itself',
    },
    {
      when: given('storageClass') && settings.storageClass !== 'standard',
      requires: !given('blobBucketName'),
      error: 'storageClass: set the lifecycle of the existing S3 bucket (blobBucketName) itself',
    },
  ]
  return rules.flatMap((rule) => (rule.when && !rule.requires ? [rule.error] : []))
}
