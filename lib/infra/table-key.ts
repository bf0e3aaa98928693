/** The customer-managed key of a table. */
import { CfnGlobalTable, type TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'

/** `TableEncryptionV2.customerManagedKey` refuses a stack whose region is unknown at synth, so this sets the property directly. */
export function encryptWith(key: IKey | undefined, table: TableV2): void {
  const resource = table.node.defaultChild
  if (key && resource instanceof CfnGlobalTable)
    resource.addPropertyOverride('Replicas.0.SSESpecification.KMSMasterKeyId', key.keyArn)
}
