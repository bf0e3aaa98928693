/** The ids of findings about IAM wildcards, which contain the resource's ARN in cdk-nag's notation. */
import { Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'

/** `AwsSolutions-IAM5[Resource::…]` for an ARN with a wildcard; references appear as `<LogicalId.Arn>`. */
export const wildcardFinding = (scope: Construct, arn: string): string =>
  `AwsSolutions-IAM5[Resource::${shown(Stack.of(scope).resolve(arn))}]`

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  if ('Ref' in value) return `<${String(value.Ref)}>`
  if ('Fn::GetAtt' in value && Array.isArray(value['Fn::GetAtt'])) return `<${value['Fn::GetAtt'].join('.')}>`
  if ('Fn::Join' in value && Array.isArray(value['Fn::Join'])) {
    const [separator, parts] = value['Fn::Join'] as [string, unknown[]]
    return parts.map(shown).join(separator)
  }
  return ''
}
