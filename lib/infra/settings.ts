/**
 * Everything that a deployment may decide, in one table: name, form, default. docs/deployment.md explains each.
 * Settings are checked together at synth and every fault is reported at once; a name that is none is a fault too,
 * so that nobody believes that a mistyped protection is on.
 */
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { DEFAULT_MAX_ARTIFACT_BYTES, DEPLOYED_MAX_ARTIFACT_BYTES, GIB } from '../domain/limits.ts'
import { atMost, type Form, flag, list, numberOf, oneOf, text, whole } from './setting-forms.ts'

const arn = (service: string, resource: string, example: string) =>
  text(new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]*:\\d{12}:${resource}$`), example)

/** The forms of the settings that a deployment must or may give. */
const FORMS = {
  /** Who may call: callers with AWS credentials, a Cognito user pool, a Lambda authorizer, or anybody. */
  access: oneOf('iam', 'cognito', 'lambda', 'none'),
  cognitoUserPoolArns: list(
    arn(
      'cognito-idp',
      'userpool/.+',
      'arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI',
    ),
  ),
  /** OAuth scopes of which an access token needs one to read; without any, an ID token is enough. */
  cognitoReadScopes: list(text(/^\S+$/, 'a scope such as bucket/read')),
  /** OAuth scopes of which an access token needs one to write. */
  cognitoWriteScopes: list(text(/^\S+$/, 'a scope such as bucket/write')),
  authorizerFunctionArn: arn(
    'lambda',
    'function:[A-Za-z0-9_-]+(:.+)?',
    'arn:aws:lambda:eu-west-1:123456789012:function:name',
  ),
  /** Callers send an API key beside their credentials, and a usage plan counts them. */
  apiKey: flag,
  apiKeyMonthlyQuota: whole(1, 2_147_483_647),
  /** Requests per second that the stage lets through in the long run. */
  throttleRate: whole(1, 100_000),
  /** Requests that it lets through at once. */
  throttleBurst: whole(1, 100_000),
  /** Makes the API private: it answers only through these interface endpoints. */
  vpcEndpointIds: list(text(/^vpce-[0-9a-f]{8,17}$/, 'vpce-0123456789abcdef0')),
  webAclArn: arn(
    'wafv2',
    'regional/webacl/.+',
    'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/name/id',
  ),
  domainName: text(/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, 'artifacts.example.com'),
  certificateArn: arn('acm', 'certificate/.+', 'arn:aws:acm:eu-west-1:123456789012:certificate/id'),
  /** Turns mutual TLS on for the custom domain: the certificates that may sign a caller's. */
  truststoreUri: text(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/.+$/, 's3://bucket-name/truststore.pem'),
  truststoreVersion: text(/^\S+$/, 'the version id of an S3 object'),
  /** Web pages that may call from a browser. */
  corsOrigins: list(text(/^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$/, 'an origin such as https://app.example.com')),
  maxArtifactBytes: atMost(
    DEPLOYED_MAX_ARTIFACT_BYTES,
    `is more than the verifier of uploads can read in the 15 minutes that Lambda gives it: at most ${DEPLOYED_MAX_ARTIFACT_BYTES} (${DEPLOYED_MAX_ARTIFACT_BYTES / GIB} GiB)`,
    whole(1, Number.MAX_SAFE_INTEGER),
  ),
  /** A symmetric customer-managed key for the S3 buckets, the tables and the queues; without it, the keys that AWS manages. */
  kmsKeyArn: arn('kms', 'key/.+', 'arn:aws:kms:eu-west-1:123456789012:key/id'),
  /** The only role that the S3 bucket's policy lets delete, overwrite, or change versioning and lifecycle. */
  breakGlassRoleArn: arn('iam', 'role/.+', 'arn:aws:iam::123456789012:role/name'),
  objectLockMode: oneOf('governance', 'compliance'),
  objectLockDays: whole(1, 36_500),
  logRetentionDays: numberOf(
    Object.values(RetentionDays).filter(
      (days): days is RetentionDays => typeof days === 'number' && days !== RetentionDays.INFINITE,
    ),
  ),
  /** Lambda environments kept for, and allowed to, each function of the API; without it the account's pool is shared. */
  readConcurrency: whole(1, 100_000),
  writeConcurrency: whole(1, 100_000),
  /** Verifications that run at once, at most. */
  verifyConcurrency: whole(2, 1000),
  alarmTopicArn: arn('sns', '[A-Za-z0-9_-]+', 'arn:aws:sns:eu-west-1:123456789012:name'),
  /** Sets the account's role with which API Gateway writes logs; off where the account has one already. */
  gatewayLogRole: flag,
  /** For an emulator: leaves out what emulators refuse to create (the association of a WAF ACL). */
  local: flag,
} satisfies Record<string, Form<unknown>>

type SettingName = keyof typeof FORMS
type SettingValue<N extends SettingName> = (typeof FORMS)[N] extends Form<infer T> ? T : never

/** What holds where a deployment says nothing. */
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

/** What a caller of `BucketService` may set; docs/deployment.md explains each. */
export type BucketServiceProps = { readonly [N in SettingName]?: SettingValue<N> }

/** The settings of one deployment, checked and complete. */
export type Settings = { readonly [N in Defaulted]: SettingValue<N> } & {
  readonly [N in Exclude<SettingName, Defaulted>]?: SettingValue<N>
}

/** Every setting that there is. */
export const SETTING_NAMES: readonly string[] = Object.keys(FORMS)

/** All faults of a configuration. `message` lists them, one to a line. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(['the configuration of Bucket is faulty:', ...faults.map((fault) => `  ${fault}`)].join('\n'))
    this.faults = faults
  }
}

/**
 * Reads and checks settings; a value may be text, as `-c name=value` gives it.
 *
 * @throws SettingsError with every fault of every setting, and every combination that cannot be deployed.
 */
export function readSettings(values: Readonly<Record<string, unknown>>): Settings {
  const faults: string[] = []
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    const form: Form<unknown> | undefined = Object.hasOwn(FORMS, name)
      ? FORMS[name as SettingName]
      : undefined
    const result = form?.(value)
    if (result === undefined) faults.push(`${name}: is no setting; there are ${SETTING_NAMES.join(', ')}`)
    else if (result.ok) read[name] = result.value
    else faults.push(`${name}: ${result.detail}`)
  }
  // Each member was read by the form that its type comes from.
  const settings = { ...DEFAULTS, ...read } as Settings
  faults.push(...contradictions(settings, values))
  if (faults.length > 0) throw new SettingsError(faults)
  return settings
}

/** A rule between settings: it is broken where `when` holds and `given` does not. */
interface Rule {
  readonly when: boolean
  readonly given: boolean
  readonly fault: string
}

/** @param values as given: a setting that is there but faulty is not reported as missing, too. */
function contradictions(settings: Settings, values: Readonly<Record<string, unknown>>): string[] {
  const given = (...names: readonly SettingName[]) => names.every((name) => values[name] !== undefined)
  const { access } = settings
  const rules: readonly Rule[] = [
    {
      when: access === 'cognito',
      given: given('cognitoUserPoolArns'),
      fault: 'cognitoUserPoolArns: is needed for access=cognito',
    },
    {
      when: given('cognitoUserPoolArns'),
      given: access === 'cognito',
      fault: 'cognitoUserPoolArns: has no effect without access=cognito',
    },
    {
      when: given('cognitoReadScopes') || given('cognitoWriteScopes'),
      given: access === 'cognito' && given('cognitoReadScopes', 'cognitoWriteScopes'),
      fault: 'cognitoReadScopes, cognitoWriteScopes: go together, with access=cognito',
    },
    {
      when: access === 'lambda',
      given: given('authorizerFunctionArn'),
      fault: 'authorizerFunctionArn: is needed for access=lambda',
    },
    {
      when: given('authorizerFunctionArn'),
      given: access === 'lambda',
      fault: 'authorizerFunctionArn: has no effect without access=lambda',
    },
    {
      when: given('apiKeyMonthlyQuota'),
      given: settings.apiKey,
      fault: 'apiKeyMonthlyQuota: has no effect without apiKey=true',
    },
    {
      when: given('domainName') || given('certificateArn'),
      given: given('domainName', 'certificateArn'),
      fault: 'domainName, certificateArn: go together',
    },
    {
      when: given('truststoreUri'),
      given: given('domainName'),
      fault: 'truststoreUri: mutual TLS needs domainName',
    },
    {
      when: given('truststoreVersion'),
      given: given('truststoreUri'),
      fault: 'truststoreVersion: has no effect without truststoreUri',
    },
    {
      when: given('domainName'),
      given: !given('vpcEndpointIds'),
      fault: 'domainName: a private API (vpcEndpointIds) cannot have this kind of domain',
    },
    {
      when: given('objectLockMode') || given('objectLockDays'),
      given: given('objectLockMode', 'objectLockDays'),
      fault: 'objectLockMode, objectLockDays: go together',
    },
  ]
  return rules.flatMap((rule) => (rule.when && !rule.given ? [rule.fault] : []))
}
