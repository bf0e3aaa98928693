/**
 * All settings of a deployment in one table: name, validator, default. docs/deployment.md explains each.
 * Synth checks all settings and reports every error at once. An unknown name is an error, because a mistyped protection would
 * otherwise be off without notice.
 */
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { DEFAULT_MAX_ARTIFACT_BYTES, DEPLOYED_MAX_ARTIFACT_BYTES, GIB } from '../domain/limits.ts'
import { atMost, flag, list, numberOf, oneOf, text, type Validator, whole } from './validators.ts'

const arn = (service: string, resource: string, example: string) =>
  text(new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]*:\\d{12}:${resource}$`), example)

/** The validator of each setting. */
const VALIDATORS = {
  /** Who may call: callers with AWS credentials, a Cognito user pool, a Lambda authorizer, or everyone. */
  access: oneOf('iam', 'cognito', 'lambda', 'none'),
  cognitoUserPoolArns: list(
    arn(
      'cognito-idp',
      'userpool/.+',
      'arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI',
    ),
  ),
  /** An access token needs one of these OAuth scopes to read. Without scopes an ID token is enough. */
  cognitoReadScopes: list(text(/^\S+$/, 'a scope such as bucket/read')),
  /** An access token needs one of these OAuth scopes to write. */
  cognitoWriteScopes: list(text(/^\S+$/, 'a scope such as bucket/write')),
  authorizerFunctionArn: arn(
    'lambda',
    'function:[A-Za-z0-9_-]+(:.+)?',
    'arn:aws:lambda:eu-west-1:123456789012:function:name',
  ),
  /** Callers send an API key in addition to their credentials, and a usage plan meters them. */
  apiKey: flag,
  apiKeyMonthlyQuota: whole(1, 2_147_483_647),
  /** Sustained requests per second of the stage. */
  throttleRate: whole(1, 100_000),
  /** Burst of requests above the sustained rate. */
  throttleBurst: whole(1, 100_000),
  /** Makes the API private: it accepts requests only through these interface endpoints. */
  vpcEndpointIds: list(text(/^vpce-[0-9a-f]{8,17}$/, 'vpce-0123456789abcdef0')),
  webAclArn: arn(
    'wafv2',
    'regional/webacl/.+',
    'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/name/id',
  ),
  domainName: text(/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, 'artifacts.example.com'),
  certificateArn: arn('acm', 'certificate/.+', 'arn:aws:acm:eu-west-1:123456789012:certificate/id'),
  /** Enables mutual TLS on the custom domain: the CA certificates that may sign a caller's. */
  truststoreUri: text(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/.+$/, 's3://bucket-name/truststore.pem'),
  truststoreVersion: text(/^\S+$/, 'the version id of an S3 object'),
  /** Origins of web pages that may call from a browser. */
  corsOrigins: list(text(/^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$/, 'an origin such as https://app.example.com')),
  maxArtifactBytes: atMost(
    DEPLOYED_MAX_ARTIFACT_BYTES,
    `is more than the verifier can read in Lambda's limit of 15 minutes; the maximum is ${DEPLOYED_MAX_ARTIFACT_BYTES} (${DEPLOYED_MAX_ARTIFACT_BYTES / GIB} GiB)`,
    whole(1, Number.MAX_SAFE_INTEGER),
  ),
  /** A symmetric customer-managed key for the S3 buckets, the tables and the queues. The default is keys that AWS manages. */
  kmsKeyArn: arn('kms', 'key/.+', 'arn:aws:kms:eu-west-1:123456789012:key/id'),
  /** The only role that the blob bucket's policy allows to delete, overwrite, or change the bucket's protection. */
  breakGlassRoleArn: arn('iam', 'role/.+', 'arn:aws:iam::123456789012:role/name'),
  objectLockMode: oneOf('governance', 'compliance'),
  objectLockDays: whole(1, 36_500),
  logRetentionDays: numberOf(
    Object.values(RetentionDays).filter(
      (days): days is RetentionDays => typeof days === 'number' && days !== RetentionDays.INFINITE,
    ),
  ),
  /** Reserved concurrency of each API function. Without it the functions share the account's pool. */
  readConcurrency: whole(1, 100_000),
  writeConcurrency: whole(1, 100_000),
  /** The maximum number of concurrent verifications. */
  verifyConcurrency: whole(2, 1000),
  alarmTopicArn: arn('sns', '[A-Za-z0-9_-]+', 'arn:aws:sns:eu-west-1:123456789012:name'),
  /** Sets the account-wide role with which API Gateway writes logs. Off if the account has one. */
  gatewayLogRole: flag,
  /** For an emulator: omits resources that emulators cannot create (the association of a WAF ACL). */
  local: flag,
} satisfies Record<string, Validator<unknown>>

type SettingName = keyof typeof VALIDATORS
type SettingValue<N extends SettingName> = (typeof VALIDATORS)[N] extends Validator<infer T> ? T : never

/** The value of each setting that a deployment does not set. */
export const DEFAULTS = {
  access: 'iam',
  apiKey: false,
  throttleRate: 2000,
  throttleBurst: 1000,
  corsOrigins: [],
  maxArtifactBytes: DEFAULT_MAX_ARTIFACT_BYTES,
  logRetentionDays: RetentionDays.THREE_MONTHS,
  gatewayLogRole: true,
  local: false,
} as const satisfies { readonly [N in SettingName]?: SettingValue<N> }

type Defaulted = keyof typeof DEFAULTS

/** The settings of `BucketService`; docs/deployment.md explains each. */
export type BucketServiceProps = { readonly [N in SettingName]?: SettingValue<N> }

/** The validated settings of one deployment, with defaults. */
export type Settings = { readonly [N in Defaulted]: SettingValue<N> } & {
  readonly [N in Exclude<SettingName, Defaulted>]?: SettingValue<N>
}

/** The names of all settings. */
export const SETTING_NAMES: readonly string[] = Object.keys(VALIDATORS)

/** All errors of a configuration. `message` lists them, one per line. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly errors: readonly string[]

  constructor(errors: readonly string[]) {
    super(['Invalid configuration of Bucket:', ...errors.map((error) => `  ${error}`)].join('\n'))
    this.errors = errors
  }
}

/**
 * Validates settings. A value may be text, as `-c name=value` passes it.
 *
 * @throws SettingsError with every invalid setting and every invalid combination.
 */
export function readSettings(values: Readonly<Record<string, unknown>>): Settings {
  const errors: string[] = []
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    const validate: Validator<unknown> | undefined = Object.hasOwn(VALIDATORS, name)
      ? VALIDATORS[name as SettingName]
      : undefined
    const result = validate?.(value)
    if (result === undefined)
      errors.push(`unknown setting "${name}"; valid settings: ${SETTING_NAMES.join(', ')}`)
    else if (result.ok) read[name] = result.value
    else errors.push(`${name}: ${result.detail}`)
  }
  // The validator of each member determines its type.
  const settings = { ...DEFAULTS, ...read } as Settings
  errors.push(...contradictions(settings, values))
  if (errors.length > 0) throw new SettingsError(errors)
  return settings
}

/** A rule between settings, violated if `when` is true and `requires` is false. */
interface Rule {
  readonly when: boolean
  readonly requires: boolean
  readonly error: string
}

/** @param values the raw values: an invalid setting is not reported as missing as well. */
function contradictions(settings: Settings, values: Readonly<Record<string, unknown>>): string[] {
  const given = (...names: readonly SettingName[]) => names.every((name) => values[name] !== undefined)
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
      when: given('cognitoReadScopes') || given('cognitoWriteScopes'),
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
      when: given('apiKeyMonthlyQuota'),
      requires: settings.apiKey,
      error: 'apiKeyMonthlyQuota: has no effect without apiKey=true',
    },
    {
      when: given('domainName') || given('certificateArn'),
      requires: given('domainName', 'certificateArn'),
      error: 'domainName, certificateArn: must be set together',
    },
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
    {
      when: given('objectLockMode') || given('objectLockDays'),
      requires: given('objectLockMode', 'objectLockDays'),
      error: 'objectLockMode, objectLockDays: must be set together',
    },
  ]
  return rules.flatMap((rule) => (rule.when && !rule.requires ? [rule.error] : []))
}
