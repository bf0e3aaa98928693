/** The request that fetches a blob: its signature is the one that the AWS SDK would make. */
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, test } from 'vitest'
import { presignsGet } from '../../../lib/aws/s3-blob-requests.ts'
import { digestHex } from '../../../lib/domain/digest.ts'
import { entryOf } from './fixtures.ts'
import { clientOf, type Place, parts } from './sdk-signature.ts'

const NOW = Date.parse('2026-11-23T04:05:06.789Z')
/** A quarter of an hour, which is a quarter of the lifetime. */
const ROUNDED = new Date('2026-11-23T04:00:00.000Z')
const entry = entryOf(Buffer.from('hello'), { contentType: `text/plain; q="a+b c'(d)*!~&=%2F"` })

interface BucketPlace extends Place {
  readonly bucket: string
}

const PLACES: [string, BucketPlace][] = [
  ['us-east-1', { bucket: 'blobs', region: 'us-east-1' }],
  ['another region, with a session', { bucket: 'blobs', region: 'eu-west-1', sessionToken: 'IQo/Jb+3==' }],
  ['China', { bucket: 'blobs', region: 'cn-north-1' }],
  ['GovCloud', { bucket: 'blobs', region: 'us-gov-west-1' }],
  ['an S3 bucket whose name has dots', { bucket: 'blobs.example.com', region: 'eu-west-1' }],
  ['an emulator', { bucket: 'blobs', region: 'us-east-1', endpoint: 'http://127.0.0.1:4566' }],
  ['an emulator with a name', { bucket: 'blobs', region: 'us-east-1', endpoint: 'http://localhost:4566/' }],
  ['an engine under a path', { bucket: 'blobs', region: 'us-east-1', endpoint: 'https://host/s3' }],
]

const request = (place: BucketPlace, seconds = 3600, now = NOW) =>
  presignsGet({
    bucket: place.bucket,
    endpoint: place.endpoint,
    signing: clientOf(place).config,
    clock: () => now,
  })(entry, seconds)

const sdkUrl = (place: BucketPlace) =>
  getSignedUrl(
    clientOf(place),
    new GetObjectCommand({
      Bucket: place.bucket,
      Key: `blobs/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digestHex(entry.digest)}`,
      ResponseContentType: entry.contentType,
      ResponseContentDisposition: 'attachment; filename="llama_3.8b+lora:x-v3.1.0+a"',
      ResponseCacheControl: 'private, max-age=31536000, immutable',
    }),
    { expiresIn: 3600, signingDate: ROUNDED },
  )

describe('the URL is the one that the AWS SDK would sign, signature included', () => {
  test.each(PLACES)('in %s', async (_, place) => {
    expect(parts((await request(place)).url)).toEqual(parts(await sdkUrl(place)))
  })
})

test('the URL has no + that a store could read as a space, and a URL parser does not change it', async () => {
  const { url } = await request({ bucket: 'blobs', region: 'eu-west-1', sessionToken: 'a+b' })
  expect(url).not.toContain('+')
  expect(new URL(url).href).toBe(url)
})

test('the request needs no headers, and states its expiry', async () => {
  expect(await request({ bucket: 'blobs', region: 'eu-west-1' }, 900)).toMatchObject({
    method: 'GET',
    headers: {},
    expiresAt: '2026-11-23T04:18:45.000Z',
  })
})

test('the URL stays the same for a quarter of its lifetime, and is valid for the other three', async () => {
  const place = { bucket: 'blobs', region: 'eu-west-1' }
  const start = ROUNDED.getTime()
  const [first, last, next] = await Promise.all(
    [0, 899_999, 900_000].map((ms) => request(place, 3600, start + ms)),
  )
  expect(last?.url).toBe(first?.url)
  expect(next?.url).not.toBe(first?.url)
  expect(Date.parse(last?.expiresAt ?? '') - (start + 899_999)).toBeGreaterThan(2_700_000)
})
