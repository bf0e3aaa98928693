/**
 * One Lambda function of the API, with a role and a log group of its own. `access` decides which handler runs and what it may do:
 * a fault in the read path cannot write, whatever it tries.
 */
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { Effect, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Architecture, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { LogLevel, NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { LAMBDA_ENVIRONMENT } from '#protocol/environment'
import type { Access } from '#protocol/routes'
import { BLOB_PREFIX, type BlobStorage } from './blob-storage.ts'
import { BUNDLE, handlerEntry } from './bundling.ts'
import type { LedgerTable } from './ledger-table.ts'
import { PERMISSIONS } from './permissions.ts'
import type { Settings } from './settings.ts'

/** The memory at which Lambda gives one full vCPU. @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const MEMORY_MIB = 1769
/** Below the 29 seconds after which the gateway gives up, so that a slow call still ends in our own words. */
export const TIMEOUT_SECONDS = 28

export interface ApiFunctionProps {
  readonly access: Access
  readonly settings: Settings
  readonly blobs: BlobStorage
  readonly ledger: LedgerTable
  readonly key: IKey | undefined
}

export class ApiFunction extends Construct {
  readonly function: NodejsFunction
  readonly logGroup: LogGroup

  constructor(scope: Construct, id: string, props: ApiFunctionProps) {
    super(scope, id)
    const { access, settings, blobs, ledger } = props
    this.logGroup = new LogGroup(this, 'Logs', {
      retention: settings.logRetentionDays,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    const reserved = access === 'read' ? settings.readConcurrency : settings.writeConcurrency
    this.function = new NodejsFunction(this, 'Function', {
      description: `Bucket: ${access}`,
      entry: handlerEntry(access),
      handler: 'handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: MEMORY_MIB,
      timeout: Duration.seconds(TIMEOUT_SECONDS),
      role: this.role(props),
      logGroup: this.logGroup,
      loggingFormat: LoggingFormat.JSON,
      ...(reserved === undefined ? {} : { reservedConcurrentExecutions: reserved }),
      environment: {
        [LAMBDA_ENVIRONMENT.blobBucket]: blobs.bucket.bucketName,
        [LAMBDA_ENVIRONMENT.ledgerTable]: ledger.table.tableName,
        [LAMBDA_ENVIRONMENT.maxArtifactBytes]: String(settings.maxArtifactBytes),
        ...(settings.corsOrigins.length > 0
          ? { [LAMBDA_ENVIRONMENT.corsOrigins]: settings.corsOrigins.join(',') }
          : {}),
      },
      bundling: {
        format: OutputFormat.CJS,
        target: BUNDLE.target,
        minify: BUNDLE.minify,
        mainFields: [...BUNDLE.mainFields],
        bundleAwsSDK: true,
        logLevel: LogLevel.WARNING,
        externalModules: [...BUNDLE.external],
        esbuildArgs: { '--conditions': BUNDLE.conditions.join(',') },
      },
    })
  }

  private role({ access, blobs, ledger, key }: ApiFunctionProps): Role {
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `What the ${access} side of Bucket may do`,
    })
    const allowed = PERMISSIONS[access]
    const grants: readonly (readonly [string, readonly string[], string])[] = [
      ['Ledger', allowed.ledger, ledger.table.tableArn],
      ['Blobs', allowed.blobs, blobs.blobsArn],
      ['BlobBucket', allowed.bucket, blobs.bucket.bucketArn],
      ['Key', key ? allowed.key : [], key?.keyArn ?? ''],
      ['Logs', ['logs:CreateLogStream', 'logs:PutLogEvents'], this.logGroup.logGroupArn],
    ]
    const policy = new Policy(this, 'Policy', {
      roles: [role],
      statements: grants
        .filter(([, actions]) => actions.length > 0)
        .map(([sid, actions, resource]) => {
          return new PolicyStatement({
            sid,
            effect: Effect.ALLOW,
            actions: [...actions],
            resources: [resource],
          })
        }),
    })
    Validations.of(policy).acknowledge({
      id: `AwsSolutions-IAM5[Resource::<${blobs.bucketLogicalId}.Arn>/${BLOB_PREFIX}*]`,
      reason:
        'A blob has a key of its own, so the role names all of them by one pattern; the actions are listed one by one.',
    })
    return role
  }
}
