/**
 * One Lambda function of the service, with its own role and log group. Its side determines the handler and the permissions,
 * so that a defect in the read path cannot write.
 */
import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { Effect, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  type Alias,
  Architecture,
  type IFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda'
import {
  LogLevel,
  NodejsFunction,
  type NodejsFunctionProps,
  OutputFormat,
} from 'aws-cdk-lib/aws-lambda-nodejs'
import type { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { LAMBDA_ENVIRONMENT, LAMBDA_VARIABLES, type LambdaSide } from '../deployment/environment.ts'
import { acknowledge } from './acknowledge.ts'
import type { BlobStorage } from './blob-storage.ts'
import { BUNDLE, handlerEntry } from './bundling.ts'
import { liveAlias } from './canary-release.ts'
import { wildcardFinding } from './finding-id.ts'
import type { LedgerTable } from './ledger-table.ts'
import { PERMISSIONS, type Resource } from './permissions.ts'
import { serviceLogs } from './service-logs.ts'
import { serviceName } from './service-name.ts'
import type { Settings } from './settings.ts'
import type { StagingStorage } from './staging-storage.ts'
import { TIMEOUT_SECONDS } from './timeouts.ts'
import type { UploadsTable } from './uploads-table.ts'
import type { VerificationQueues } from './verification-queue.ts'

/** The memory at which Lambda gives one full vCPU. @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const MEMORY_MIB = 1769

/** What all functions share: runtime, log format and bundling. */
export const NODE_FUNCTION = {
  handler: 'handler',
  runtime: Runtime.NODEJS_24_X,
  architecture: Architecture.ARM_64,
  loggingFormat: LoggingFormat.JSON,
  bundling: {
    format: OutputFormat.CJS,
    target: BUNDLE.target,
    minify: BUNDLE.minify,
    mainFields: [...BUNDLE.mainFields],
    bundleAwsSDK: true,
    logLevel: LogLevel.WARNING,
    externalModules: [...BUNDLE.external],
  },
} satisfies NodejsFunctionProps

/** The resources that the functions use. */
export interface ServiceParts {
  readonly settings: Settings
  readonly blobs: BlobStorage
  readonly staging: StagingStorage
  readonly ledger: LedgerTable
  readonly uploads: UploadsTable
  readonly queue: VerificationQueues
  readonly key: IKey | undefined
}

export interface ServiceFunctionProps extends ServiceParts {
  readonly side: LambdaSide
}

/** One of the three functions: `nodejs24.x` on arm64, 1,769 MiB, logs in JSON for `logRetentionDays`. */
export class ServiceFunction extends Construct {
  readonly function: NodejsFunction
  /** With `canaryMinutes`: the alias that callers invoke, which a release shifts to its version. */
  readonly alias: Alias | undefined
  readonly logGroup: LogGroup
  readonly role: Role
  /** Must exist before the function is called. */
  readonly policy: Policy

  constructor(scope: Construct, id: string, props: ServiceFunctionProps) {
    super(scope, id)
    const { side, settings } = props
    this.logGroup = serviceLogs(this, 'Logs', props)
    const reserved = concurrency(side, settings)
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Permissions of the ${side} side of Bucket`,
    })
    this.function = new NodejsFunction(this, 'Function', {
      description: `Bucket: ${side}`,
      entry: handlerEntry(side),
      ...NODE_FUNCTION,
      memorySize: MEMORY_MIB,
      timeout: Duration.seconds(TIMEOUT_SECONDS[side]),
      role: this.role,
      logGroup: this.logGroup,
      ...(reserved === undefined ? {} : { reservedConcurrentExecutions: reserved }),
      ...(settings.tracing ? { tracing: Tracing.ACTIVE } : {}),
      // A rollback, also a manual one, needs the earlier versions. They are deleted with the function.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
      environment: environment(serviceName(this), props),
    })
    if (settings.tracing)
      Validations.of(this.role).acknowledge({
        id: 'AwsSolutions-IAM5[Resource::*]',
        reason: 'X-Ray has no resources that a policy could name.',
      })
    acknowledge(this.function, {
      CKV_AWS_115:
        'The settings readConcurrency and writeConcurrency reserve concurrency; verifyConcurrency bounds the verifier.',
      CKV_AWS_116:
        'The API calls the function synchronously, and the queue of the verifier has its own dead letters.',
      CKV_AWS_117: 'The function calls only regional AWS services, under a role that can reach nothing else.',
      CKV_AWS_173: 'The environment contains names of resources and limits, no secrets.',
    })
    this.policy = this.allow(this.role, props)
    this.alias = settings.canaryMinutes === undefined ? undefined : liveAlias(this.function)
  }

  /** The function as the API and the queues invoke it. */
  get invoked(): IFunction {
    // The CDK's types are not made for `exactOptionalPropertyTypes`.
    return (this.alias ?? this.function) as IFunction
  }

  private allow(
    role: Role,
    { side, blobs, staging, ledger, uploads, queue, key }: ServiceFunctionProps,
  ): Policy {
    const arns: { readonly [R in Resource]: string } = {
      ledger: ledger.table.tableArn,
      uploads: uploads.table.tableArn,
      blobs: blobs.blobsArn,
      blobBucket: blobs.storage.bucket.bucketArn,
      staging: staging.stagedArn,
      stagingBucket: staging.storage.bucket.bucketArn,
      queue: queue.queue.queueArn,
      deadLetters: queue.deadLetters.queueArn,
      key: key?.keyArn ?? '',
    }
    const allowed = Object.entries(PERMISSIONS[side]) as [Resource, readonly string[]][]
    const grants = [
      ...allowed
        .filter(([resource]) => resource !== 'key' || key !== undefined)
        .map(([resource, actions]) => [resource, actions, arns[resource]] as const),
      ['logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], this.logGroup.logGroupArn] as const,
    ]
    const policy = new Policy(this, 'Policy', {
      roles: [role],
      statements: grants.map(
        ([sid, actions, resource]) =>
          new PolicyStatement({
            sid: `${sid.charAt(0).toUpperCase()}${sid.slice(1)}`,
            effect: Effect.ALLOW,
            actions: [...actions],
            resources: [resource],
            ...(sid === 'key' ? { conditions: viaStores(this) } : {}),
          }),
      ),
    })
    for (const arn of [blobs.blobsArn, staging.stagedArn])
      Validations.of(policy).acknowledge({
        id: wildcardFinding(this, arn),
        reason:
          'Each blob and each upload has its own key, so the resource is a pattern; every action is listed by name.',
      })
    return policy
  }
}

/** The reserved concurrency of a function; zero stops it. */
function concurrency(side: LambdaSide, settings: Settings): number | undefined {
  if (settings.readOnly && side !== 'read') return 0
  return { read: settings.readConcurrency, write: settings.writeConcurrency, verify: undefined }[side]
}

/**
 * Restricts a role's use of the customer-managed key to requests that a store makes for it.
 *
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
 */
const viaStores = (scope: Construct) => ({
  StringEquals: {
    'kms:ViaService': ['s3', 'dynamodb', 'sqs'].map(
      (service) => `${service}.${Stack.of(scope).region}.amazonaws.com`,
    ),
  },
})

function environment(
  service: string,
  { side, settings, blobs, staging, ledger, uploads, queue }: ServiceFunctionProps,
) {
  const values: { readonly [V in keyof typeof LAMBDA_ENVIRONMENT]: string } = {
    blobBucket: blobs.storage.bucket.bucketName,
    stagingBucket: staging.storage.bucket.bucketName,
    ledgerTable: ledger.table.tableName,
    uploadsTable: uploads.table.tableName,
    verificationQueueUrl: queue.queue.queueUrl,
    deadLetterQueueArn: queue.deadLetters.queueArn,
    maxArtifactBytes: String(settings.maxArtifactBytes),
    presignedSeconds: String(settings.presignedSeconds),
    serviceName: service,
    corsOrigins: settings.corsOrigins.join(','),
  }
  const present = LAMBDA_VARIABLES[side].filter((variable) => values[variable] !== '')
  return Object.fromEntries(present.map((variable) => [LAMBDA_ENVIRONMENT[variable], values[variable]]))
}
