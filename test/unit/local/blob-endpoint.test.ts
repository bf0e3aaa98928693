/** The blob endpoint serves the signed request until its expiry, and no other. */
import { mkdtemp, rm, truncate, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blobFolder, blobName } from '../../../lib/local/blob-names.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { SMALL_BLOB_BYTES } from '../../../lib/local/ledger/record.ts'
import { described } from '../../support/described.ts'
import { type EndpointRequest, sendTo } from '../../support/endpoint-request.ts'
import { entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

const SECOND = 1000
let now = Date.parse('2026-11-23T04:00:00.000Z')
let dataDir: string
let folder: Folder

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-endpoint-'))
  folder = await openFolder(dataDir, { clock: () => now })
})
afterAll(async () => {
  await folder.close()
  await rm(dataDir, { recursive: true })
})

const bytes = someBytes(1000)
const entry = entryOf('b/Model:7B/v1', bytes, { contentType: 'text/html' })

async function stored(of = entry, content = bytes) {
  await folder.blobs.write(of, inChunks(content, 300), {
    size: content.byteLength,
    description: described({ contentType: of.contentType }),
    signal: undefined,
  })
  return (await folder.blobs.presignGet(of, 60)).url
}

const send = (target: string, options?: EndpointRequest) => sendTo(folder.blobEndpoint, target, options)

describe('the blob endpoint', () => {
  it('leaves every other path to others', async () => {
    await expect(send('/v1')).rejects.toThrow('does not know')
  })

  it('sends bytes with headers that keep browsers from executing them', async () => {
    const response = await send(await stored())
    expect(Object.fromEntries(response.headers)).toEqual({
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=31536000, immutable',
      'content-disposition': 'attachment; filename="Model:7B-v1"',
      'content-length': '1000',
      'content-security-policy': 'sandbox',
      'content-type': 'text/html',
      'x-content-type-options': 'nosniff',
    })
  })

  it('answers HEAD like GET, without the bytes', async () => {
    const response = await send(await stored(), { method: 'HEAD', headers: { range: 'bytes=10-19' } })
    expect([response.status, response.headers.get('content-length')]).toEqual([206, '10'])
    expect(await response.text()).toBe('')
  })

  it.each([
    ['the signature', (url: URL) => url.searchParams.set('signature', 'A'.repeat(43))],
    ['no signature', (url: URL) => url.searchParams.delete('signature')],
    ['a later expiry', (url: URL) => url.searchParams.set('expires', String(now + 3_600_000))],
    ['another content type', (url: URL) => url.searchParams.set('content_type', 'text/javascript')],
    ['another size', (url: URL) => url.searchParams.set('size', '999')],
    ['one parameter more', (url: URL) => url.searchParams.append('x', '1')],
    ['a second expiry', (url: URL) => url.searchParams.append('expires', String(now + 3_600_000))],
    [
      'another version',
      (url: URL) => {
        url.pathname = url.pathname.replace('/v1/', '/v2/')
      },
    ],
    [
      'a broken path',
      (url: URL) => {
        url.pathname = '/blobs/b/%ff'
      },
    ],
    [
      'no path',
      (url: URL) => {
        url.pathname = '/blobs/'
      },
    ],
  ])('refuses what was changed: %s', async (_, change) => {
    const url = new URL(await stored(), 'http://127.0.0.1')
    change(url)
    const response = await send(`${url.pathname}${url.search}`)
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ code: 'access_denied' })
  })

  it('recognizes a path in any encoding', async () => {
    const url = await stored()
    expect((await send(url.replace('Model%3A7B', 'M%6fdel:7B'))).status).toBe(200)
  })

  it('refuses dot segments before anything resolves them', async () => {
    const url = await stored()
    expect((await send(url.replace('/b/', '/b/../b/'))).status).toBe(403)
  })

  it('refuses a request that has expired', async () => {
    const url = await stored()
    now += 60 * SECOND
    expect((await send(url)).status).toBe(403)
  })

  it('refuses a store with a signature for reading', async () => {
    expect((await send(await stored(), { method: 'PUT', body: someBytes(1) })).status).toBe(403)
  })

  it('sends zero bytes, and no range of them', async () => {
    const empty = entryOf('b/empty/v1', someBytes(0))
    const url = await stored(empty, someBytes(0))
    expect((await (await send(url)).arrayBuffer()).byteLength).toBe(0)
    const response = await send(url, { headers: { range: 'bytes=0-' } })
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */0'])
  })

  it.each([
    ['bytes=-100', 206, '100'],
    ['bytes=-5000', 206, '1000'],
    ['bytes=-0', 416, null],
    ['bytes=5-2', 200, '1000'],
    ['bytes=0-1,5-6', 200, '1000'],
    ['lines=1-2', 200, '1000'],
  ])('handles ranges as HTTP defines them: %s', async (range, status, length) => {
    const response = await send(await stored(), { headers: { range } })
    expect(response.status).toBe(status)
    if (length !== null) expect(response.headers.get('content-length')).toBe(length)
  })

  it('sends all bytes if If-Range does not match', async () => {
    const response = await send(await stored(), { headers: { range: 'bytes=0-1', 'if-range': '"x"' } })
    expect(response.status).toBe(200)
  })

  it('reports lost bytes before it sends any', async () => {
    const large = someBytes(SMALL_BLOB_BYTES + 1)
    const lost = entryOf('b/lost/v1', large)
    const url = await stored(lost, large)
    const path = join(blobFolder(join(dataDir, 'blobs'), lost), blobName(lost))
    await truncate(path, SMALL_BLOB_BYTES)
    expect((await send(url)).status).toBe(404)
    await unlink(path)
    expect((await send(url)).status).toBe(404)
  })
})
