/** The name of one service, which separates its metrics from those of others. */
import { Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'

/**
 * The name of the stack and the path of the service in it, such as `Bucket-Service`: unique in the account and region.
 *
 * @param child a direct child of the service.
 */
export function serviceName(child: Construct): string {
  const stack = Stack.of(child)
  const inside = child.node.scopes.slice(stack.node.scopes.length, -1)
  return [stack.stackName, ...inside.map(({ node }) => node.id)].join('-')
}
