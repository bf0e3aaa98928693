/**
 * The DynamoDB table of the ledger: one permanent row per stored version.
 * Point-in-time recovery covers 35 days; deletion protection and the retain policy prevent accidental deletion.
 * After a restore, the service uses an existing table by name.
 */
import { Annotations, RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, type ITableV2, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { LEDGER_KEY } from '../deployment/tables.ts'
import type { Settings } from './settings.ts'
import { encryptWith } from './table-key.ts'

/** A table of this stack, or an existing one. */
export type Table = TableV2 | ITableV2

export interface LedgerTableProps {
  readonly settings: Settings
  /** Customer-managed; undefined means the key that AWS manages. */
  readonly key: IKey | undefined
}

/** The ledger: on demand, with deletion protection and point-in-time recovery. It outlives its stack. */
export class LedgerTable extends Construct {
  readonly table: Table

  constructor(scope: Construct, id: string, { settings, key }: LedgerTableProps) {
    super(scope, id)
    this.table =
      settings.ledgerTableName === undefined ? this.create(key) : this.adopt(settings.ledgerTableName)
  }

  private create(key: IKey | undefined): TableV2 {
    const table = new TableV2(this, 'Table', {
      partitionKey: { name: LEDGER_KEY.partition, type: AttributeType.STRING },
      sortKey: { name: LEDGER_KEY.sort, type: AttributeType.STRING },
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    encryptWith(key, table)
    return table
  }

  private adopt(name: string): ITableV2 {
    Annotations.of(this).addInfo(
      `${name} is an existing table, which this stack does not manage. Enable point-in-time recovery and deletion protection yourself; a restored table has neither (docs/operations.md, Backup and restore).`,
    )
    return TableV2.fromTableName(this, 'ExistingTable', name)
  }
}
