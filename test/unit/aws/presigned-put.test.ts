/** The request of a single upload: what binds its sender is signed, and the signature is the one that the AWS SDK would make. */
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, test } from 'vitest'
import { createS3Client, SERVER_BLOB_LIMITS } from '../../../lib/aws/clients.ts'
import { createS3BlobStore } from '../../../lib/aws/s3-blob-store.ts'
import { digestBase64, digestHex } from '../../../lib/domain/digest.ts'
import { GIB } from '../../../lib/domain/limits.ts'
import { described } from '../../support/described.ts'
import { blobOf } from './fixtures.ts'
import { clientOf, type Place, parts } from './sdk-signature.ts'

const NOW = Date.parse('2026-11-23T04:05:06.789Z')
const client = createS3Client({ region: 'eu-west-1' }, SERVER_BLOB_LIMITS)
client.config.credentials = async () => ({
  accessKeyId: 'AKIA',
  secretAccessKey: 's',
  sessionToken: 'tok/en+',
})
const store = createS3BlobStore({ client, bucket: 'blobs', maxBytes: GIB, clock: () => NOW })
const blob = blobOf(Buffer.from('hello'))

interface BucketPlace extends Place {
  readonly bucket: string
}

const CONTENT_TYPE = `text/plain; q="a+b c'(d)*!~&=%2F"`

const ours = (place: BucketPlace) =>
  createS3BlobStore({
    client: clientOf(place),
    bucket: place.bucket,
    maxBytes: GIB,
    endpoint: place.endpoint,
    clock: () => NOW,
  }).presignPut(blob, 5, described({ contentType: CONTENT_TYPE }), 3600)

const sdkUrl = (place: BucketPlace) =>
  getSignedUrl(
    clientOf(place),
    new PutObjectCommand({
      Bucket: place.bucket,
      Key: `blobs/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digestHex(blob.digest)}`,
      ContentLength: 5,
      ContentType: CONTENT_TYPE,
      ChecksumSHA256: digestBase64(blob.digest),
      IfNoneMatch: '*',
    }),
    {
      expiresIn: 3600,
      signingDate: new Date(NOW),
      unhoistableHeaders: new Set(['x-amz-checksum-sha256']),
      signableHeaders: new Set(['content-type']),
    },
  )

describe('the request is the one that the AWS SDK would sign, signature included', () => {
  test.each<[string, BucketPlace]>([
    ['a region, with a session', { bucket: 'blobs', region: 'eu-west-1', sessionToken: 'IQo/Jb+3==' }],
    ['China', { bucket: 'blobs', region: 'cn-north-1' }],
    ['a bucket whose name has dots', { bucket: 'blobs.example.com', region: 'eu-west-1' }],
    ['a stand-in', { bucket: 'blobs', region: 'us-east-1', endpoint: 'http://127.0.0.1:4566' }],
  ])('in %s', async (_, place) => {
    expect(parts((await ours(place)).url)).toEqual(parts(await sdkUrl(place)))
  })
})

test('everything that binds the sender is a signed header and absent from the query', async () => {
  const { url } = await store.presignPut(blob, 5, described({ contentType: 'text/plain' }), 3600)
  const query = new URL(url).searchParams
  expect(query.get('X-Amz-SignedHeaders')).toBe(
    'content-length;content-type;host;if-none-match;x-amz-checksum-sha256',
  )
  expect([...query.keys()].filter((name) => /checksum|crc|none-match/i.test(name))).toEqual([])
})

test('the headers to send are exactly the signed ones except the host, in lower case', async () => {
  const request = await store.presignPut(blob, 5, described({ contentType: 'text/plain' }), 3600)
  expect(request.method).toBe('PUT')
  expect(request.headers).toEqual({
    'content-length': '5',
    'content-type': 'text/plain',
    'if-none-match': '*',
    'x-amz-checksum-sha256': digestBase64(blob.digest),
  })
})

test('the URL is that of the final key, and states its expiry', async () => {
  const { url, expiresAt } = await store.presignPut(blob, 5, described({ contentType: 'text/plain' }), 900)
  const { host, pathname, searchParams } = new URL(url)
  expect(host).toBe('blobs.s3.eu-west-1.amazonaws.com')
  expect(pathname).toBe(`/blobs/prod-models/llama_3.8b%2Blora%3Ax/v3.1.0%2Ba/${digestHex(blob.digest)}`)
  expect(searchParams.get('X-Amz-Date')).toBe('20261123T040506Z')
  expect(searchParams.get('X-Amz-Expires')).toBe('900')
  expect(expiresAt).toBe('2026-11-23T04:20:06.000Z')
})

test('zero bytes, and five GiB, have their exact length signed', async () => {
  for (const size of [0, 5 * GIB]) {
    const { url, headers } = await store.presignPut(blob, size, described({ contentType: 'text/plain' }), 900)
    expect(headers['content-length']).toBe(String(size))
    expect(new URL(url).searchParams.get('X-Amz-SignedHeaders')).toContain('content-length')
  }
})

test('without credentials the store is unavailable', async () => {
  const anonymous = createS3Client({ region: 'eu-west-1' }, SERVER_BLOB_LIMITS)
  anonymous.config.credentials = async () => {
    throw Object.assign(new Error('none'), { name: 'CredentialsProviderError' })
  }
  const poor = createS3BlobStore({ client: anonymous, bucket: 'blobs', maxBytes: GIB })
  await expect(poor.presignPut(blob, 5, described({ contentType: 'text/plain' }), 60)).rejects.toMatchObject({
    code: 'unavailable',
  })
})
