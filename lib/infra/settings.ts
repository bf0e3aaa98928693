/** All settings of a deployment in one table: name, validator, default. docs/deployment.md explains each. */
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import {
  DEFAULT_MAX_ARTIFACT_BYTES,
  DEPLOYED_MAX_ARTIFACT_BYTES,
  GIB,
  PRESIGNED_SECONDS,
} from '../domain/limits.ts'
import { atMost, flag, list, numberOf, oneOf, PARTITIONS, text, type Validator, whole } from './validators.ts'

const arn = (service: string, resource: string, example: string) =>
  text(
    new RegExp(`^arn:(${PARTITIONS.join('|')}):${service}:[a-z0-9-]*:\\d{12}:${resource}$`),
    `${example}, in a supported partition (${PARTITIONS.join(', ')})`,
  )

/** The characters of role names and paths. `*` and `?` are wildcards in a policy's condition, so they are invalid here. */
const role = arn('iam', 'role/[\\w+=,.@/-]+', 'arn:aws:iam::123456789012:role/name')

/** An account, an organization, or one role or user: a principal that a resource policy can name. */
const principal = text(
  new RegExp(
    `^(\\d{12}|o-[a-z0-9]{10,32}|arn:(${PARTITIONS.join('|')}):iam::\\d{12}:(role|user)/[\\w+=,.@/-]+)$`,
  ),
  '123456789012 (an account), o-a1b2c3d4e5 (an organization) or arn:aws:iam::123456789012:role/name',
)

/** The validator of each setting. */
export const VALIDATORS = {
  /** Who may call: callers with AWS credentials, a Cognito user pool, a Lambda authorizer, or everyone. */
  access: oneOf('iam', 'cognito', 'lambda', 'none'),
  /** Principals outside the account that may read, with `access=iam`. */
  trustedReaders: list(principal),
  /** Principals outside the account that may read and write, with `access=iam`. */
  trustedWriters: list(principal),
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
  /** The VPCs from which presigned requests are accepted, with a private API. */
  vpcIds: list(text(/^vpc-[0-9a-f]{8,17}$/, 'vpc-0123456789abcdef0')),
  webAclArn: arn(
    'wafv2',
    'regional/webacl/.+',
    'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/name/id',
  ),
  domainName: text(
    /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/,
    'artifacts.example.com; wildcards are not supported',
  ),
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
  /** Seconds for which a presigned request is valid. A role session lasts an hour, and a request ends with it. */
  presignedSeconds: whole(60, PRESIGNED_SECONDS),
  /** A symmetric customer-managed key for the S3 buckets, tables, queues and logs. The default is keys that AWS manages. */
  kmsKeyArn: arn('kms', 'key/[\\w-]+', 'arn:aws:kms:eu-west-1:123456789012:key/id'),
  /** Roles besides those of the functions that store blobs: the servers of `bucket serve --store aws`. */
  writerRoleArns: list(role),
  /** The only role that the blob bucket's policy allows to delete, overwrite, or change the bucket's protection. */
  breakGlassRoleArn: role,
  objectLockMode: oneOf('governance', 'compliance'),
  objectLockDays: whole(1, 36_500),
  /** The S3 storage class to which blobs move. No class that needs a restore before a read is supported. */
  storageClass: oneOf('standard', 'intelligent-tiering', 'standard-ia', 'glacier-ir'),
  /** An existing ledger table, after a restore. */
  ledgerTableName: text(/^[A-Za-z0-9_.-]{3,255}$/, 'the name of a DynamoDB table'),
  /** An existing S3 bucket of blobs, which an earlier stack retained. */
  blobBucketName: text(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of an S3 bucket'),
  /** Stops the write function and the verifier, for a restore. Reads continue. */
  readOnly: flag,
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
  /**
   * Releases new code to a tenth of the calls first, for this many minutes. The alarm on 5xx needs ten minutes of a steady problem,
   * so CodeDeploy's shorter canaries would be over before it fires.
   */
  canaryMinutes: numberOf([15, 30]),
  /** A function that asks the API for its health every five minutes, and an alarm on its failures. */
  healthProbe: flag,
  /** AWS X-Ray traces of the API's stage and the functions. */
  tracing: flag,
  alarmTopicArn: arn('sns', '[A-Za-z0-9_-]+', 'arn:aws:sns:eu-west-1:123456789012:name'),
  /** Sets the account-wide role with which API Gateway writes logs. Off if the account has one. */
  gatewayLogRole: flag,
  /** The address of an AWS emulator, which `ApiUrl` then contains. Omits resources that emulators cannot create. */
  emulatorUrl: text(/^https?:\/\/[\w.-]+(:\d{1,5})?$/, 'http://127.0.0.1:4566'),
} satisfies Record<string, Validator<unknown>>

export type SettingName = keyof typeof VALIDATORS
type SettingValue<N extends SettingName> = (typeof VALIDATORS)[N] extends Validator<infer T> ? T : never

/** The value of each setting that a deployment does not set. */
export const DEFAULTS = {
  access: 'iam',
  trustedReaders: [],
  trustedWriters: [],
  apiKey: false,
  throttleRate: 2000,
  throttleBurst: 1000,
  corsOrigins: [],
  maxArtifactBytes: DEFAULT_MAX_ARTIFACT_BYTES,
  presignedSeconds: PRESIGNED_SECONDS,
  writerRoleArns: [],
  storageClass: 'standard',
  readOnly: false,
  healthProbe: false,
  tracing: false,
  logRetentionDays: RetentionDays.THREE_MONTHS,
  // An unbounded backlog would use up the account's concurrency, of which the API's functions need a share.
  verifyConcurrency: 20,
} as const satisfies { readonly [N in SettingName]?: SettingValue<N> }

type Defaulted = keyof typeof DEFAULTS

/** The settings of `BucketService`; docs/deployment.md explains each. */
export type BucketServiceProps = { readonly [N in SettingName]?: SettingValue<N> }

/** The validated settings of one deployment, with defaults. */
export type Settings = { readonly [N in Defaulted]: SettingValue<N> } & {
  readonly [N in Exclude<SettingName, Defaulted>]?: SettingValue<N>
}

/** Settings of the CDK app, which names and protects the stack. */
export const STACK_VALIDATORS = {
  /** @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack-parameters.html */
  stackName: text(
    /^[A-Za-z][A-Za-z0-9-]{0,127}$/,
    'a letter, then letters, digits and hyphens (at most 128)',
  ),
  /** CloudFormation refuses to delete the stack until this is off. */
  terminationProtection: flag,
}
export const STACK_DEFAULTS = { stackName: 'Bucket', terminationProtection: true }

export type StackSettings = typeof STACK_DEFAULTS & { readonly service: Settings }

/** The names of all settings. */
export const SETTING_NAMES: readonly string[] = [...Object.keys(STACK_VALIDATORS), ...Object.keys(VALIDATORS)]
