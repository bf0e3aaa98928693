/** The read function's own requests to S3 are signed in their headers: bucket policies bind presigned requests to a VPC. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { HttpResponse } from '@smithy/core/protocols'
import { expect, test } from 'vitest'
import { createPresignOnlyBlobStore } from '../../../lib/aws/read-side.ts'
import { digestFromHex } from '../../../lib/domain/digest.ts'
import { parseRef } from '../../../lib/domain/refs.ts'

test('a lookup carries its signature in the Authorization header, and none in its URL', async () => {
  const { config } = new DynamoDBClient({
    region: 'eu-west-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'session' },
  })
  const sent: { headers: Record<string, string>; query: object }[] = []
  const requestHandler = {
    ...config.requestHandler,
    handle: async (request: (typeof sent)[number]) => {
      sent.push(request)
      return { response: new HttpResponse({ statusCode: 200, headers: { 'content-length': '5' } }) }
    },
  } as typeof config.requestHandler
  const blobs = createPresignOnlyBlobStore({
    bucket: 'blobs',
    signing: { ...config, requestHandler },
  })
  const id = { ref: parseRef('models/llama/v1'), digest: digestFromHex('a'.repeat(64)) }

  expect(await blobs.inspect(id)).toMatchObject({ found: true, size: 5 })
  expect(sent).toHaveLength(1)
  const [{ headers, query } = { headers: {}, query: {} }] = sent
  expect(headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/s3\/aws4_request/,
  )
  expect(headers['x-amz-security-token']).toBe('session')
  expect(query).toEqual({})
})
