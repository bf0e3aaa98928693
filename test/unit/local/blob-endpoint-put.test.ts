/** The blob endpoint as a store of single uploads: it accepts exactly the signed bytes, once, and keeps no others. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BlobId } from '../../../lib/domain/entry.ts'
import { blobFolder, blobName } from '../../../lib/local/blob-names.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { SMALL_BLOB_BYTES } from '../../../lib/local/ledger/record.ts'
import { described } from '../../support/described.ts'
import { type EndpointRequest, sendTo } from '../../support/endpoint-request.ts'
import { blobOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

const SECOND = 1000
let now = Date.parse('2026-11-23T04:00:00.000Z')
let dataDir: string
let folder: Folder
let count = 0

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-put-'))
  folder = await openFolder(dataDir, { clock: () => now })
})
afterAll(async () => {
  await folder.close()
  await rm(dataDir, { recursive: true })
})

const bytes = someBytes(1000)
const freshBlob = () => blobOf(`b/Model:7B/v${count++}`, bytes)
const presigned = (blob: BlobId, seconds = 60) =>
  folder.blobs.presignPut(blob, bytes.byteLength, described({ contentType: 'text/plain; a=b' }), seconds)
const send = (url: string, options: EndpointRequest) =>
  sendTo(folder.blobEndpoint, url, { method: 'PUT', ...options })
const pathOf = (blob: BlobId) => join(blobFolder(join(dataDir, 'blobs'), blob), blobName(blob))

async function expectNothing(blob: BlobId) {
  expect(await folder.blobs.inspect(blob)).toEqual({ found: false })
  expect(await readdir(join(dataDir, 'tmp'))).toEqual([])
}

describe('a presigned store', () => {
  it('accepts the bytes, and attests them', async () => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    const response = await send(url, { headers, body: bytes })
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect(await folder.blobs.inspect(blob)).toEqual({ found: true, size: 1000, attested: true })
  })

  it('refuses other bytes of the same length with the status of BadDigest, and keeps nothing', async () => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    const response = await send(url, { headers, body: someBytes(1000, 2) })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'bad_digest' })
    await expectNothing(blob)
  })

  it('expires to the millisecond, before it requests the body', async () => {
    const blob = freshBlob()
    const { url, headers, expiresAt } = await presigned(blob, 1)
    expect(expiresAt).toBe(new Date(now + SECOND).toISOString())
    now += SECOND - 1
    const corrupt = await send(url, { headers, body: someBytes(1000, 2) })
    expect(corrupt.status).toBe(400)
    now += 1
    let isAsked = false
    const expired = await send(url, { headers, body: bytes, onBody: () => (isAsked = true) })
    expect([expired.status, isAsked]).toEqual([403, false])
    await expectNothing(blob)
  })

  const otherDigest = createHash('sha256').update(someBytes(1000, 2)).digest('base64')
  it.each<[string, Record<string, string>]>([
    ['another length', { 'content-length': '999' }],
    ['no length', { 'content-length': '' }],
    ['another type', { 'content-type': 'text/plain' }],
    ['another type in case', { 'content-type': 'Text/plain; a=b' }],
    ['no If-None-Match', { 'if-none-match': '' }],
    ['another If-None-Match', { 'if-none-match': '"x"' }],
    ['another checksum', { 'x-amz-checksum-sha256': otherDigest }],
  ])('refuses %s before it asks for the body', async (_, changed) => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    const sent = Object.fromEntries(Object.entries({ ...headers, ...changed }).filter(([, value]) => value))
    let isAsked = false
    const response = await send(url, {
      headers: sent,
      body: someBytes(1000, 2),
      onBody: () => (isAsked = true),
    })
    expect([response.status, isAsked]).toEqual([403, false])
    await expectNothing(blob)
  })

  it.each([
    ['another expiry', (url: string) => url.replace(/expires=\d+/, `expires=${now + 3_600_000}`)],
    ['another version', (url: string) => url.replace(/\/v(\d+)\//, '/v$1x/')],
    ['one parameter more', (url: string) => `${url}&x=1`],
    ['a second expiry', (url: string) => `${url}&expires=${now + 3_600_000}`],
    ['a signature cut short', (url: string) => url.slice(0, -1)],
    ['no signature', (url: string) => url.replace(/&signature=.*/, '')],
  ])('refuses a forged request: %s', async (_, forge) => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    expect((await send(forge(url), { headers, body: bytes })).status).toBe(403)
    await expectNothing(blob)
  })

  it('does not permit reading, and a presigned GET does not permit storing', async () => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    expect((await send(url, { method: 'GET', headers })).status).toBe(403)
    expect((await send(url, { method: 'DELETE', headers })).status).toBe(405)
    expect((await send(url, { method: 'POST', headers, body: bytes })).status).toBe(405)
    await expectNothing(blob)
  })

  it('is 412 once the bytes exist, before it requests the body', async () => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    await send(url, { headers, body: bytes })
    let isAsked = false
    const response = await send(url, { headers, body: bytes, onBody: () => (isAsked = true) })
    expect([response.status, isAsked]).toEqual([412, false])
  })

  it('replaces a foreign file under the final name with the verified bytes', async () => {
    const large = someBytes(SMALL_BLOB_BYTES + 1)
    const blob = blobOf(`b/a/planted-${count++}`, large)
    await mkdir(dirname(pathOf(blob)), { recursive: true })
    await writeFile(pathOf(blob), someBytes(large.byteLength, 2))
    const { url, headers } = await folder.blobs.presignPut(
      blob,
      large.byteLength,
      described({ contentType: 'text/plain' }),
      60,
    )
    expect((await send(url, { headers, body: large })).status).toBe(200)
    expect(Buffer.compare(await readFile(pathOf(blob)), large)).toBe(0)
  })

  it.each([
    ['breaks', new Error('the connection broke')],
    ['stalls', Object.assign(new Error('aborted'), { name: 'AbortError' })],
  ])('keeps nothing of a body that %s', async (_, error) => {
    const large = someBytes(3_000_000)
    const blob = blobOf(`b/a/broken-${count++}`, large)
    const { url, headers } = await folder.blobs.presignPut(
      blob,
      large.byteLength,
      described({ contentType: 'text/plain' }),
      60,
    )
    async function* broken() {
      yield* inChunks(large.subarray(0, 2_000_000), 65_536)
      throw error
    }
    expect((await send(url, { headers, body: broken() })).status).toBeGreaterThanOrEqual(500)
    await expectNothing(blob)
  })

  it('keeps nothing if the sender disconnects and its body never ends', async () => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    const gone = new AbortController()
    async function* hanging() {
      yield bytes.subarray(0, 500)
      gone.abort()
      await new Promise(() => undefined)
    }
    await send(url, { headers, body: hanging(), signal: gone.signal })
    await expectNothing(blob)
  })

  it('logs its reference and nothing of the query', async () => {
    const blob = freshBlob()
    const { url, headers } = await presigned(blob)
    const notes = {}
    await sendTo((request) => folder.blobEndpoint(request, notes), url, {
      method: 'PUT',
      headers,
      body: bytes,
    })
    expect(notes).toEqual({
      bucketId: 'b',
      artifactId: 'Model:7B',
      version: blob.ref.version,
      digest: blob.digest,
      size: 1000,
    })
  })
})
