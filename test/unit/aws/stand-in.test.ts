/** The stand-in refuses what S3 refuses when a multipart upload is completed: otherwise the tests over it show nothing. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AwsStandIn, startAwsStandIn } from '../../support/aws-stand-in.ts'
import { noise } from './fixtures.ts'

let aws: AwsStandIn
let client: S3Client
const at = { Bucket: 'b', Key: 'k' }
const MIB = 1024 * 1024

beforeAll(async () => {
  aws = await startAwsStandIn()
  client = new S3Client({
    region: 'eu-west-1',
    endpoint: aws.url,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret' },
    maxAttempts: 1,
  })
})
afterAll(() => aws.close())

async function sent(...sizes: number[]) {
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'SHA256' }),
  )
  const Parts = []
  for (const [index, size] of sizes.entries()) {
    const part = { ...at, UploadId, PartNumber: index + 1, Body: noise(size) }
    const { ETag, ChecksumSHA256 } = await client.send(
      new UploadPartCommand({ ...part, ChecksumAlgorithm: 'SHA256' }),
    )
    Parts.push({ PartNumber: index + 1, ETag, ChecksumSHA256 })
  }
  return { UploadId, Parts }
}
type Sent = Awaited<ReturnType<typeof sent>>

const WRONG: [string, string, (parts: Sent['Parts']) => Sent['Parts']][] = [
  ['parts in reverse order', 'InvalidPartOrder', (parts) => parts.toReversed()],
  ['a wrong ETag', 'InvalidPart', (parts) => parts.map((part) => ({ ...part, ETag: '"other"' }))],
  ['no SHA-256', 'InvalidRequest', (parts) => parts.map(({ ChecksumSHA256, ...part }) => part as never)],
  [
    'a wrong SHA-256',
    'InvalidPart',
    ([first, ...rest]) => [{ ...first, ChecksumSHA256: `${'A'.repeat(43)}=` } as never, ...rest],
  ],
  [
    'a part that never arrived',
    'InvalidPart',
    (parts) => [...parts, { ...parts[0], PartNumber: 9 } as never],
  ],
  ['no parts', 'MalformedXML', () => []],
]

test.each(WRONG)('a Complete with %s is refused with %s', async (_, code, change) => {
  const { UploadId, Parts } = await sent(5 * MIB, 1)
  const command = new CompleteMultipartUploadCommand({
    ...at,
    UploadId,
    MultipartUpload: { Parts: change(Parts) },
  })
  await expect(client.send(command)).rejects.toMatchObject({ name: code })
  expect(aws.objects.size).toBe(0)
})

test('a Complete with a small part before the last is refused', async () => {
  const { UploadId, Parts } = await sent(1, 1)
  const command = new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } })
  await expect(client.send(command)).rejects.toMatchObject({ name: 'EntityTooSmall' })
})

test('a Complete that names some of the parts makes an object of these', async () => {
  const { UploadId, Parts } = await sent(5 * MIB, 1)
  const MultipartUpload = { Parts: Parts.slice(0, 1) }
  await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload }))
  expect([...aws.objects.values()].map(({ bytes }) => bytes.byteLength)).toEqual([5 * MIB])
})

test('a part without the checksum of its upload is refused', async () => {
  const { UploadId } = await sent()
  const command = new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: noise(1) })
  await expect(client.send(command)).rejects.toMatchObject({ name: 'InvalidRequest' })
})
