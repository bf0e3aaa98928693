/** The rules of AWS Solutions report only findings that the code acknowledges with a reason, in every configuration. */
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, it } from 'vitest'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'
import { ARNS, buildStack } from './synthesized.ts'

const CONFIGURATIONS: Record<string, BucketServiceProps> = {
  'with default settings': {},
  'with open access, for web pages': { access: 'none', corsOrigins: ['https://app.example.com'] },
  'with Cognito and a web ACL': {
    access: 'cognito',
    cognitoUserPoolArns: [ARNS.userPool],
    webAclArn: ARNS.webAcl,
    corsOrigins: ['https://app.example.com'],
  },
  'with every option': {
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
    writerRoleArns: ['arn:aws:iam::123456789012:role/server'],
    storageClass: 'intelligent-tiering',
    tracing: true,
    canaryMinutes: 15,
  },
  'with access by IAM and a health probe': { healthProbe: true },
  'with trusted accounts': {
    trustedReaders: ['210987654321', 'o-a1b2c3d4e5'],
    trustedWriters: ['arn:aws:iam::210987654321:role/trainer'],
    corsOrigins: ['https://app.example.com'],
  },
  'over an existing ledger and blob bucket': {
    ledgerTableName: 'restored-ledger',
    blobBucketName: 'retained-blobs',
    readOnly: true,
  },
  'with a private API': {
    vpcEndpointIds: ['vpce-0123456789abcdef0'],
    vpcIds: ['vpc-0123456789abcdef0'],
  },
  'with a private API, for web pages': {
    vpcEndpointIds: ['vpce-0123456789abcdef0'],
    vpcIds: ['vpc-0123456789abcdef0'],
    corsOrigins: ['https://app.example.com'],
  },
}

describe('cdk-nag', () => {
  it.each(Object.entries(CONFIGURATIONS))('reports nothing for a service %s', (_, service) => {
    const stack = buildStack(service)
    const { violations } = new AwsSolutionsChecks(stack).validateScope(stack)
    const found = violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
    )
    expect(found).toEqual([])
  })
})
