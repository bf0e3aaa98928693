/** The outputs of a stack, as CloudFormation's wire format gives them to the SDK's client. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { stackOutputs } from '../../../lib/aws/operator/stack-outputs.ts'

let server: Server
let requests: URLSearchParams[]
let response: { status: number; body: string }

beforeEach(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIA')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  requests = []
  server = createServer(async (request, answer) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    requests.push(new URLSearchParams(Buffer.concat(chunks).toString()))
    answer.writeHead(response.status, { 'content-type': 'text/xml' }).end(response.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const outputsOf = (stack: string) =>
  stackOutputs(stack, {
    region: 'eu-west-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  })

test('the outputs of the stack are returned by name', async () => {
  response = {
    status: 200,
    body: `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>
      <member><StackName>Bucket</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-23T04:00:00Z</CreationTime>
      <Outputs>
        <member><OutputKey>BlobBucketName</OutputKey><OutputValue>blobs-1</OutputValue></member>
        <member><OutputKey>ApiUrl</OutputKey><OutputValue>https://a/?b=1&amp;c=2</OutputValue></member>
      </Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
  }
  expect(Object.fromEntries(await outputsOf('Bucket'))).toEqual({
    BlobBucketName: 'blobs-1',
    ApiUrl: 'https://a/?b=1&c=2',
  })
  expect(requests.map((form) => [form.get('Action'), form.get('StackName')])).toEqual([
    ['DescribeStacks', 'Bucket'],
  ])
})

test('a stack that does not exist is reported with the reason of CloudFormation', async () => {
  response = {
    status: 400,
    body: `<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>
      <Code>ValidationError</Code><Message>Stack with id X does not exist</Message></Error></ErrorResponse>`,
  }
  await expect(outputsOf('X')).rejects.toThrow(
    'CloudFormation cannot describe the stack X: Stack with id X does not exist',
  )
})
