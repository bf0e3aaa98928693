/**
 * `npm run audit` as a real process on the S3 and DynamoDB of an emulator, with damage that the service itself cannot cause.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blobKey } from '../../lib/aws/blob-object.ts'
import { createDynamoDbLedger } from '../../lib/aws/dynamodb-ledger.ts'
import { createS3BlobStore } from '../../lib/aws/s3-blob-store.ts'
import { LEDGER_KEY } from '../../lib/deployment/tables.ts'
import { digestFromHex } from '../../lib/domain/digest.ts'
import { parseRef } from '../../lib/domain/refs.ts'
import { described } from '../support/described.ts'
import { audit } from './audit-command.ts'
import { emulatedStores } from './emulated-stores.ts'

const stores = emulatedStores()
afterAll(() => stores.close())

const digest = digestFromHex('ab'.repeat(32))
const key = (version: string) => blobKey({ ref: parseRef(`b/a+x:y/${version}`), digest })
let names: string[]
let Bucket: string

beforeAll(async () => {
  Bucket = await stores.makeBucket()
  const table = await stores.makeTable(LEDGER_KEY)
  names = ['--blob-bucket', Bucket, '--ledger-table', table]
  const ledger = createDynamoDbLedger({ client: stores.dynamo, table })
  for (const version of ['v1', 'v2', 'v3']) {
    await stores.s3.send(new PutObjectCommand({ Bucket, Key: key(version), Body: 'bytes' }))
    await ledger.append(
      {
        ref: parseRef(`b/a+x:y/${version}`),
        ...{ digest, size: 5, ...described({ contentType: 'text/plain' }) },
        createdAt: '2026-11-23T04:00:00.000Z',
      },
      'commit',
    )
  }
}, 60_000)

describe('npm run audit', () => {
  it('exits 0 if every entry has its blob', async () => {
    const { exit, lines } = await audit(...names)
    expect(exit).toBe(0)
    expect(lines).toEqual([
      expect.objectContaining({
        entries: { count: 3, bytes: 15 },
        blobs: { count: 3, bytes: 15 },
        sound: true,
      }),
    ])
  })

  it('prices unreferenced blobs, and still exits 0', async () => {
    await stores.s3.send(new PutObjectCommand({ Bucket, Key: key('v0'), Body: Buffer.alloc(1024 * 1024) }))
    const { exit, lines } = await audit(...names, '--min-age-days', '0', '--usd-per-gb-month', '1024')
    expect(exit).toBe(0)
    expect(lines).toEqual([
      { finding: 'unreferenced', key: key('v0'), size: 1024 * 1024 },
      expect.objectContaining({ unreferenced_usd_per_month: 1 }),
    ])
    expect((await audit(...names)).lines).toEqual([
      expect.objectContaining({ recent: { count: 1, bytes: 1024 * 1024 } }),
    ])
  })

  it('exits 1 and names each blob that is missing or has another size', async () => {
    await stores.s3.send(new DeleteObjectCommand({ Bucket, Key: key('v1') }))
    await stores.s3.send(new PutObjectCommand({ Bucket, Key: key('v2'), Body: 'other bytes' }))
    const { exit, lines } = await audit(...names)
    expect(exit).toBe(1)
    expect(lines).toEqual([
      { finding: 'missing', key: key('v1'), size: 5 },
      { finding: 'wrong_size', key: key('v2'), size: 5, stored_size: 11 },
      expect.objectContaining({ sound: false, missing: 1, wrong_size: 1 }),
    ])
  })

  it('repairs a restored ledger before writers are let in: the row of a later store is back', async () => {
    // The restored table has no row of a blob that was stored after the restore time.
    const blobs = await stores.makeBucket()
    const table = await stores.makeTable(LEDGER_KEY)
    const bytes = Buffer.from('stored after the restore time')
    const id = {
      ref: parseRef('b/a/late'),
      digest: digestFromHex(createHash('sha256').update(bytes).digest('hex')),
    }
    const store = createS3BlobStore({
      ...{ client: stores.s3, bucket: blobs, maxBytes: bytes.byteLength, endpoint: stores.endpoint },
    })
    const options = {
      size: bytes.byteLength,
      description: described({ contentType: 'text/plain' }),
      signal: undefined,
    }
    await store.write(id, Readable.from([bytes]), options)
    await stores.s3.send(new PutObjectCommand({ Bucket: blobs, Key: 'blobs/foreign', Body: 'x' }))

    const restored = ['--blob-bucket', blobs, '--ledger-table', table, '--repair-ledger']
    const ledger = createDynamoDbLedger({ client: stores.dynamo, table })
    expect((await audit(...restored)).lines).toContainEqual(
      expect.objectContaining({ append: 1, foreign: 1, written: false, repaired: true }),
    )
    expect(await ledger.find(id.ref)).toBeUndefined()

    const { exit, lines } = await audit(...restored, '--write')
    expect(exit).toBe(0)
    expect(lines).toContainEqual({ repair: 'append', key: blobKey(id), size: bytes.byteLength })
    expect(await ledger.find(id.ref)).toMatchObject({
      ...{ ...id, size: bytes.byteLength, contentType: 'text/plain' },
    })
    expect((await audit(...restored, '--write')).lines).toContainEqual(expect.objectContaining({ append: 0 }))
  })

  it('exits 2 if a store does not respond or the usage is invalid', async () => {
    expect((await audit('--blob-bucket', Bucket, '--ledger-table', 'no-such-table')).exit).toBe(2)
    expect((await audit('--stack', 'no-such-stack')).exit).toBe(2)
    expect((await audit('--blob-bucket', Bucket)).exit).toBe(2)
  })
})
