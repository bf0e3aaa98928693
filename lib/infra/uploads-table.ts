/**
 * The DynamoDB table of uploads: one row for each that is under way, deleted by itself some days after it has expired.
 * It holds nothing that lasts, so it is neither backed up nor kept: an upload that is lost is begun anew, and rows that a backup
 * brought back would tell of attempts that are over.
 */
import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, CfnGlobalTable, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { UPLOADS_KEY, UPLOADS_TTL } from '../deployment/tables.ts'

export interface UploadsTableProps {
  /** Of the customer; the service's own where there is none. */
  readonly key: IKey | undefined
}

/** The uploads under way, on demand. It goes with its stack. */
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
    // As for the ledger: `customerManagedKey` refuses a stack whose region is known only at deployment.
    const resource = this.table.node.defaultChild
    if (key && resource instanceof CfnGlobalTable)
      resource.addPropertyOverride('Replicas.0.SSESpecification.KMSMasterKeyId', key.keyArn)
  }
}
