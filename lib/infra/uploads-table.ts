/**
 * The DynamoDB table of uploads: one row per open upload. DynamoDB deletes a row some days after it has expired.
 * The table has no backup and is deleted with its stack: clients restart a lost upload, and restored rows would describe
 * attempts that have ended.
 */
import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { UPLOADS_KEY, UPLOADS_TTL } from '../deployment/tables.ts'
import { acknowledge } from './acknowledge.ts'
import { encryptWith } from './table-key.ts'

export interface UploadsTableProps {
  /** Customer-managed; undefined means the key that AWS manages. */
  readonly key: IKey | undefined
}

/** The open uploads, on demand. The table is deleted with its stack. */
export class UploadsTable extends Construct {
  readonly table: TableV2

  constructor(scope: Construct, id: string, { key }: UploadsTableProps) {
    super(scope, id)
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: UPLOADS_KEY.partition, type: AttributeType.STRING },
      sortKey: { name: UPLOADS_KEY.sort, type: AttributeType.STRING },
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      timeToLiveAttribute: UPLOADS_TTL,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    acknowledge(this.table, {
      CKV_AWS_165: 'Clients restart a lost upload; restored rows would describe attempts that have ended.',
    })
    encryptWith(key, this.table)
  }
}
