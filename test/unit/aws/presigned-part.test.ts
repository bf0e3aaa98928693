/** The request of a part: what binds its sender is signed, and the signature is the one that the AWS SDK would make. */
import { UploadPartCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, test } from 'vitest'
import { SERVER_BLOB_LIMITS } from '../../../lib/aws/clients.ts'
import { createS3Staging } from '../../../lib/aws/s3-staging.ts'
import { digestHex, hexToBase64 } from '../../../lib/domain/digest.ts'
import { GIB, MIB } from '../../../lib/domain/limits.ts'
import { clientOf, type Place, parts } from './sdk-signature.ts'
import { ATTEMPT, NOW, uploadOf } from './uploads-fixtures.ts'

const upload = uploadOf(Buffer.from('hello'), { stagingId: 'place/with+every=kind~of.character_-' })
const sha256 = digestHex(upload.id.digest)
const key = `uploads/prod-models/llama_3.8b+lora:x/v3.1.0+a/${sha256}/${ATTEMPT}`

const request = (place: Place, size = 16 * MIB, seconds = 3600) =>
  createS3Staging({
    client: clientOf(place),
    bucket: 'staging',
    blobBucket: 'blobs',
    blobs: { inspect: async () => ({ found: false }) },
    endpoint: place.endpoint,
    completeMs: SERVER_BLOB_LIMITS.completeMs,
    clock: () => NOW,
  }).presignPart(upload, 7, size, sha256, seconds)

const sdkUrl = (place: Place) =>
  getSignedUrl(
    clientOf(place),
    new UploadPartCommand({
      Bucket: 'staging',
      Key: key,
      UploadId: upload.stagingId ?? '',
      PartNumber: 7,
      ContentLength: 16 * MIB,
      ChecksumSHA256: hexToBase64(sha256),
    }),
    {
      expiresIn: 3600,
      signingDate: new Date(NOW),
      unhoistableHeaders: new Set(['x-amz-checksum-sha256']),
    },
  )

describe('the request of a part is the one that the AWS SDK would sign, signature included', () => {
  test.each<[string, Place]>([
    ['a region, with a session', { region: 'eu-west-1', sessionToken: 'IQo/Jb+3==' }],
    ['China', { region: 'cn-north-1' }],
    ['a stand-in', { region: 'us-east-1', endpoint: 'http://127.0.0.1:4566' }],
  ])('in %s', async (_, place) => {
    expect(parts((await request(place)).url)).toEqual(parts(await sdkUrl(place)))
  })
})

test('length and checksum are signed headers, sent verbatim and absent from the query', async () => {
  const { method, url, headers, expiresAt } = await request({ region: 'eu-west-1' }, 5 * GIB, 900)
  expect(method).toBe('PUT')
  expect(headers).toEqual({
    'content-length': String(5 * GIB),
    'x-amz-checksum-sha256': hexToBase64(sha256),
  })
  const query = new URL(url).searchParams
  expect(query.get('X-Amz-SignedHeaders')).toBe('content-length;host;x-amz-checksum-sha256')
  expect([...query.keys()].filter((name) => /checksum|crc/i.test(name))).toEqual([])
  expect([query.get('partNumber'), query.get('uploadId')]).toEqual(['7', upload.stagingId])
  expect(expiresAt).toBe('2026-11-23T04:20:06.000Z')
})

test('a different length makes a different signature', async () => {
  const signature = async (...args: Parameters<typeof request>) =>
    new URL((await request(...args)).url).searchParams.get('X-Amz-Signature')
  const place = { region: 'eu-west-1' }
  expect(await signature(place, 1)).not.toBe(await signature(place, 2))
})

test('an upload in single mode has no parts', async () => {
  const staging = createS3Staging({
    client: clientOf({ region: 'eu-west-1' }),
    bucket: 'staging',
    completeMs: SERVER_BLOB_LIMITS.completeMs,
    blobBucket: 'blobs',
    blobs: { inspect: async () => ({ found: false }) },
  })
  await expect(staging.presignPart({ ...upload, stagingId: null }, 1, 1, sha256, 60)).rejects.toThrow(
    'no parts',
  )
})
