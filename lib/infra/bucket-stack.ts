/** The stack that `cdk deploy` creates: one service, with the names that its users and operators need as outputs. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { BucketService } from './bucket-service.ts'
import { type BucketServiceProps, STACK_DEFAULTS } from './settings.ts'

/** The properties of any stack (`env`, `tags`, `stackName`, …), and the settings of the service. */
export interface BucketStackProps extends StackProps {
  /** docs/deployment.md, Settings. */
  readonly service: BucketServiceProps
}

/**
 * One service in its own stack. docs/deployment.md and docs/operations.md refer to its outputs: `ApiUrl`, the S3 buckets,
 * tables, queues and log groups. CloudFormation refuses to delete the stack until `terminationProtection` is false; deletion
 * keeps blobs and ledger.
 *
 * @example
 * new BucketStack(app, 'Bucket', { service: { access: 'cognito', cognitoUserPoolArns: [pool.userPoolArn] } })
 */
export class BucketStack extends Stack {
  /** @throws SettingsError with every error in `props.service`. */
  constructor(scope: Construct, id: string, { service: settings, ...props }: BucketStackProps) {
    super(scope, id, {
      description: 'Bucket: a storage-only artifact repository',
      terminationProtection: STACK_DEFAULTS.terminationProtection,
      ...props,
    })
    const service = new BucketService(this, 'Service', settings)
    const { api, blobs, staging, ledger, uploads, queue } = service
    const outputs: Readonly<Record<string, string | undefined>> = {
      ApiUrl: api.url,
      RestApiId: api.restApi.restApiId,
      BlobBucketName: blobs.storage.bucket.bucketName,
      StagingBucketName: staging.storage.bucket.bucketName,
      LedgerTableName: ledger.table.tableName,
      UploadsTableName: uploads.table.tableName,
      VerificationQueueUrl: queue.queue.queueUrl,
      DeadLetterQueueUrl: queue.deadLetters.queueUrl,
      AccessLogGroup: api.accessLog.logGroupName,
      ReadLogGroup: service.readFunction.logGroup.logGroupName,
      WriteLogGroup: service.writeFunction.logGroup.logGroupName,
      VerifyLogGroup: service.verifyFunction.logGroup.logGroupName,
      DomainTarget: api.domain?.target,
      ApiKeyId: api.apiKeyId,
    }
    for (const [name, value] of Object.entries(outputs))
      if (value !== undefined) new CfnOutput(this, name, { value })
  }
}
