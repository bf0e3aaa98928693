/** AWS Solutions' rules find nothing that is not acknowledged with a reason, however the service is configured. */
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, it } from 'vitest'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { ARNS, buildStack } from './synthesized.ts'

const CONFIGURATIONS: Record<string, BucketServiceProps> = {
  'as it comes': {},
  'open to all, for web pages': { access: 'none', corsOrigins: ['https://app.example.com'] },
  'behind Cognito and a firewall': {
    access: 'cognito',
    cognitoUserPoolArns: [ARNS.userPool],
    webAclArn: ARNS.webAcl,
    corsOrigins: ['https://app.example.com'],
  },
  'with everything': {
    access: 'lambda',
    authorizerFunctionArn: ARNS.authorizer,
    apiKey: true,
    domainName: 'artifacts.example.com',
    certificateArn: ARNS.certificate,
    truststoreUri: 's3://trust/roots.pem',
    kmsKeyArn: ARNS.key,
    breakGlassRoleArn: ARNS.breakGlass,
    objectLockMode: 'governance',
    objectLockDays: 30,
    alarmTopicArn: ARNS.topic,
  },
  private: { vpcEndpointIds: ['vpce-0123456789abcdef0'] },
  'private, for web pages': {
    vpcEndpointIds: ['vpce-0123456789abcdef0'],
    corsOrigins: ['https://app.example.com'],
  },
}

describe('cdk-nag', () => {
  it.each(Object.entries(CONFIGURATIONS))('finds nothing in a service %s', (_, service) => {
    const stack = buildStack(service)
    const { violations } = new AwsSolutionsChecks(stack).validateScope(stack)
    const found = violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
    )
    expect(found).toEqual([])
  })
})
