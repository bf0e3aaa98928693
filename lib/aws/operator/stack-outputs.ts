/** Reads the outputs of a deployed stack. The CloudFormation client is a development dependency: only operators' tools use it. */
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { type AwsOptions, bounded, located, SERVER_BLOB_LIMITS } from '../clients.ts'

/**
 * @returns the value of each output, by its name.
 * @throws Error with CloudFormation's reason if the stack does not exist or may not be described.
 */
export async function stackOutputs(stack: string, options: AwsOptions): Promise<ReadonlyMap<string, string>> {
  const client = new CloudFormationClient({ ...located(options), ...bounded(SERVER_BLOB_LIMITS) })
  try {
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stack }))
    const outputs = Stacks[0]?.Outputs ?? []
    return new Map(outputs.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`CloudFormation cannot describe the stack ${stack}: ${reason}`, { cause: error })
  } finally {
    client.destroy()
  }
}
