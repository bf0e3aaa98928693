/** Where a stack's outputs are asked for, in every partition, and how they are read. */
import { afterEach, expect, test, vi } from 'vitest'
import { stackOutputs } from '../../../lib/aws/operator/stack-outputs.ts'

const ANSWER = `<DescribeStacksResponse><member>
  <OutputKey>BlobBucketName</OutputKey> <OutputValue>blobs-1</OutputValue>
  </member><member><OutputKey>LedgerTableName</OutputKey><OutputValue>ledger-1</OutputValue></member>
</DescribeStacksResponse>`
const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'secret' }

afterEach(() => vi.unstubAllGlobals())

function answering(response: Response) {
  const fetch = vi.fn(async (_: Request) => response)
  vi.stubGlobal('fetch', fetch)
  return () => fetch.mock.calls.map(([request]) => request)
}

test.each([
  ['eu-west-1', 'https://cloudformation.eu-west-1.amazonaws.com/'],
  ['us-gov-west-1', 'https://cloudformation.us-gov-west-1.amazonaws.com/'],
  ['cn-north-1', 'https://cloudformation.cn-north-1.amazonaws.com.cn/'],
])('%s is asked at %s', async (region, url) => {
  const asked = answering(new Response(ANSWER))
  expect(Object.fromEntries(await stackOutputs('Bucket', { region, credentials }))).toEqual({
    BlobBucketName: 'blobs-1',
    LedgerTableName: 'ledger-1',
  })
  expect(asked().map((request) => request.url)).toEqual([url])
})

test('a stack that is not there is told in the words of CloudFormation', async () => {
  answering(new Response('<Error><Message>Stack with id X does not exist</Message></Error>', { status: 400 }))
  await expect(stackOutputs('X', { region: 'eu-west-1', credentials })).rejects.toThrow(
    'CloudFormation does not describe X: Stack with id X does not exist',
  )
})
