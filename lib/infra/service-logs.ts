/** The log groups of a service. They outlive its stack; lines expire after `logRetentionDays`. */
import { RemovalPolicy } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import type { Settings } from './settings.ts'

export interface ServiceLogsProps {
  readonly settings: Settings
  /** Customer-managed; undefined means the key of CloudWatch Logs. */
  readonly key: IKey | undefined
}

export function serviceLogs(scope: Construct, id: string, { settings, key }: ServiceLogsProps): LogGroup {
  const logGroup = new LogGroup(scope, id, {
    retention: settings.logRetentionDays,
    ...(key ? { encryptionKey: key } : {}),
    removalPolicy: RemovalPolicy.RETAIN,
  })
  if (key === undefined)
    acknowledge(logGroup, {
      CKV_AWS_158: 'CloudWatch Logs encrypts with its own key; the setting kmsKeyArn replaces it.',
    })
  return logGroup
}
