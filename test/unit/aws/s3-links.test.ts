import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, test } from 'vitest'
import { createS3Client, SERVER_BLOB_LIMITS } from '../../../lib/aws/clients.ts'
import { createLinkStore } from '../../../lib/aws/s3-links.ts'
import { digestHex } from '../../../lib/domain/digest.ts'
import { entryOf } from './fixtures.ts'

const NOW = Date.parse('2026-11-23T04:05:06.789Z')
const entry = entryOf(Buffer.from('hello'), { contentType: `text/plain; q="a+b c'(d)*!~&=%2F"` })

interface Place {
  readonly bucket: string
  readonly region: string
  readonly endpoint?: string
  readonly sessionToken?: string
}

const PLACES: [string, Place][] = [
  ['us-east-1', { bucket: 'blobs', region: 'us-east-1' }],
  ['another region, with a session', { bucket: 'blobs', region: 'eu-west-1', sessionToken: 'IQo/Jb+3==' }],
  ['China', { bucket: 'blobs', region: 'cn-north-1' }],
  ['GovCloud', { bucket: 'blobs', region: 'us-gov-west-1' }],
  ['a bucket whose name has dots', { bucket: 'blobs.example.com', region: 'eu-west-1' }],
  ['a stand-in', { bucket: 'blobs', region: 'us-east-1', endpoint: 'http://127.0.0.1:4566' }],
  ['a stand-in with a name', { bucket: 'blobs', region: 'us-east-1', endpoint: 'http://localhost:4566/' }],
]

const credentialsOf = ({ sessionToken }: Place) => ({
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  ...(sessionToken === undefined ? {} : { sessionToken }),
})

const link = (place: Place, seconds = 3600) =>
  createLinkStore({
    bucket: place.bucket,
    endpoint: place.endpoint,
    signing: { region: async () => place.region, credentials: async () => credentialsOf(place) },
    clock: () => NOW,
  }).presignGet(entry, seconds)

function sdkUrl(place: Place) {
  const { region, endpoint } = place
  const client = createS3Client({ region, endpoint }, SERVER_BLOB_LIMITS)
  client.config.credentials = async () => credentialsOf(place)
  const command = new GetObjectCommand({
    Bucket: place.bucket,
    Key: `blobs/prod-models/llama_3.8b+lora:x/v3.1.0+a/${digestHex(entry.digest)}`,
    ResponseContentType: entry.contentType,
    ResponseContentDisposition: 'attachment; filename="llama_3.8b+lora:x-v3.1.0+a"',
    ResponseCacheControl: 'private, max-age=31536000, immutable',
  })
  return getSignedUrl(client, command, { expiresIn: 3600, signingDate: new Date(NOW) })
}

const parts = (url: string) => {
  const { protocol, host, pathname, searchParams } = new URL(url)
  return { protocol, host, pathname, query: Object.fromEntries(searchParams) }
}

describe('a link is the one that the AWS SDK would sign, signature included', () => {
  test.each(PLACES)('in %s', async (_, place) => {
    expect(parts((await link(place)).url)).toEqual(parts(await sdkUrl(place)))
  })
})

test('a link has no + that a store could read as a space, and survives a URL parser', async () => {
  const { url } = await link({ bucket: 'blobs', region: 'eu-west-1', sessionToken: 'a+b' })
  expect(url).not.toContain('+')
  expect(new URL(url).href).toBe(url)
})

test('a link needs no headers, and says when it ends', async () => {
  const request = await link({ bucket: 'blobs', region: 'eu-west-1' }, 900)
  expect(request).toMatchObject({ method: 'GET', headers: {}, expiresAt: '2026-11-23T04:20:06.000Z' })
})

test('a process that only hands out links does nothing else', async () => {
  const store = createLinkStore({
    bucket: 'blobs',
    signing: {
      region: async () => 'eu-west-1',
      credentials: async () => credentialsOf({ bucket: '', region: '' }),
    },
  })
  await expect(store.read(entry, undefined, undefined)).rejects.toThrow('only hands out links')
  await expect(store.presignPut(entry, 1, 'text/plain', 1)).rejects.toThrow('only hands out links')
  await expect(store.check()).resolves.toBeUndefined()
})
