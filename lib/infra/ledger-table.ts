/**
 * The DynamoDB table of the ledger: one permanent row per stored version.
 * Point-in-time recovery covers 35 days; deletion protection and the retain policy prevent accidental deletion.
 */
import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, CfnGlobalTable, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { LEDGER_KEY } from '../deployment/tables.ts'

export interface LedgerTableProps {
  /** Customer-managed; undefined means the key that AWS manages. */
  readonly key: IKey | undefined
}

/** The ledger: on demand, with deletion protection and point-in-time recovery. It outlives its stack. */
export class LedgerTable extends Construct {
  readonly table: TableV2

  constructor(scope: Construct, id: string, { key }: LedgerTableProps) {
    super(scope, id)
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: LEDGER_KEY.partition, type: AttributeType.STRING },
      sortKey: { name: LEDGER_KEY.sort, type: AttributeType.STRING },
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    // `customerManagedKey` refuses a stack whose region is unknown at synth, so this sets the property directly.
    const resource = this.table.node.defaultChild
    if (key && resource instanceof CfnGlobalTable)
      resource.addPropertyOverride('Replicas.0.SSESpecification.KMSMasterKeyId', key.keyArn)
  }
}
