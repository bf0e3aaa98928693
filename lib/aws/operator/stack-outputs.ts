/** What a deployed stack says about itself: its outputs, asked of CloudFormation, whose answers are XML. */
import { AwsClient } from 'aws4fetch'
import type { Credentials } from '../s3-presign.ts'
import { serviceDomain } from '../service-domain.ts'

const ANSWER_MS = 20_000

export interface StackAccess {
  readonly region: string
  readonly credentials: Credentials
  /** An address that stands in for AWS. */
  readonly endpoint?: string | undefined
}

/**
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
 * @returns the value of each output, by its name.
 * @throws Error in CloudFormation's words when there is no such stack, or when it may not be described.
 */
export async function stackOutputs(
  stack: string,
  { region, credentials, endpoint = `https://${serviceDomain('cloudformation', region)}` }: StackAccess,
): Promise<ReadonlyMap<string, string>> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const client = new AwsClient({
    ...{ accessKeyId, secretAccessKey, region, service: 'cloudformation' },
    ...(sessionToken === undefined ? {} : { sessionToken }),
  })
  const response = await client.fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      Action: 'DescribeStacks',
      Version: '2010-05-15',
      StackName: stack,
    }).toString(),
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  const text = await response.text()
  if (!response.ok)
    throw new Error(
      `CloudFormation does not describe ${stack}: ${/<Message>([^<]*)/.exec(text)?.[1] ?? response.status}`,
    )
  // Names of S3 buckets and tables have no character that XML would write in another way.
  const pairs = text.matchAll(/<OutputKey>([^<]*)<\/OutputKey>\s*<OutputValue>([^<]*)<\/OutputValue>/g)
  return new Map([...pairs].map(([, name = '', value = '']) => [name, value]))
}
