/** Parts in a folder: each counts only once it is complete, right and on disk, and the joined bytes are the received ones. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MIB } from '../../../lib/domain/limits.ts'
import { isPourable } from '../../../lib/flow/pourable.ts'
import { blobFolder, blobName } from '../../../lib/local/blob-names.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import type { StagedUpload } from '../../../lib/repository/upload-ports.ts'
import { described } from '../../support/described.ts'
import { type EndpointRequest, sendTo } from '../../support/endpoint-request.ts'
import { blobOf, collect, digestOf, recordOf, someBytes } from '../../support/fake-artifacts.ts'

const SECOND = 1000
let now: number
let dataDir: string
let folder: Folder
let messages: string[]

beforeEach(async () => {
  now = Date.parse('2026-11-23T04:00:00.000Z')
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-staging-'))
  messages = []
  folder = await openFolder(dataDir, {
    clock: () => now,
    log: (record) => {
      if (record.operation === 'lost_parts' && 'message' in record) messages.push(record.message)
    },
  })
})
afterEach(async () => {
  await folder.close()
  await rm(dataDir, { recursive: true })
})

const whole = someBytes(16 * MIB + 1000)
const parts = [whole.subarray(0, 16 * MIB), whole.subarray(16 * MIB)] as const
const other = someBytes(1000, 2)
const hex = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const blob = blobOf('b/a/v', whole)
const received = (number: 1 | 2, bytes: Uint8Array = parts[number - 1] ?? other) => ({
  number,
  size: bytes.byteLength,
  sha256: hex(bytes),
})

async function begin(attempt = 'first'): Promise<StagedUpload> {
  const stagingId = await folder.staging.begin(blob, attempt, whole.byteLength)
  return { id: blob, attempt, stagingId, size: whole.byteLength }
}
/** The request of a part that has the bytes `signed`, as a function that sends it. */
async function request(upload: StagedUpload, number: 1 | 2, signed: Uint8Array, seconds = 60) {
  const part = await folder.staging.presignPart(upload, number, signed.byteLength, hex(signed), seconds)
  return async (body: EndpointRequest['body'] = signed, more: EndpointRequest = {}) =>
    (await sendTo(folder.blobEndpoint, part.url, { method: 'PUT', headers: part.headers, body, ...more }))
      .status
}
const send = async (upload: StagedUpload, number: 1 | 2, bytes = parts[number - 1] ?? other) =>
  (await request(upload, number, bytes))()
/** A body that pauses in its middle until it is released. */
function halting(bytes: Uint8Array) {
  let go = () => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  let reached = () => {}
  const isHalted = new Promise<void>((resolve) => {
    reached = resolve
  })
  async function* body() {
    yield bytes.subarray(0, bytes.byteLength / 2)
    reached()
    await gate
    yield bytes.subarray(bytes.byteLength / 2)
  }
  return { body: body(), isHalted, go: () => go() }
}
async function* broken(bytes: Uint8Array) {
  yield bytes.subarray(0, bytes.byteLength / 2)
  throw new Error('the connection broke')
}

describe('a part', () => {
  it('is received if its bytes have their SHA-256, in any order', async () => {
    const upload = await begin()
    expect(await folder.staging.parts(upload)).toEqual([])
    expect(await send(upload, 2)).toBe(200)
    expect(await send(upload, 1)).toBe(200)
    expect(await folder.staging.parts(upload)).toEqual([received(1), received(2)])
  })

  it('is refused with other bytes, and not received', async () => {
    const upload = await begin()
    const put = await request(upload, 2, parts[1])
    expect(await put(other)).toBe(400)
    expect(await folder.staging.parts(upload)).toEqual([])
    expect(await put()).toBe(200)
  })

  it('is refused after its request has expired, or with another length or checksum', async () => {
    const upload = await begin()
    const put = await request(upload, 2, parts[1], 1)
    const headers = { 'content-length': '1000', 'x-amz-checksum-sha256': '' }
    expect(await put(parts[1], { headers })).toBe(403)
    expect(await put(parts[1], { headers: { 'content-length': '999' } })).toBe(403)
    now += SECOND
    expect(await put()).toBe(403)
    expect(await folder.staging.parts(upload)).toEqual([])
  })

  it('is not received while its bytes are arriving, and a concurrent second sender gets a 409 to retry', async () => {
    const upload = await begin()
    const { body, isHalted, go } = halting(parts[1])
    const put = await request(upload, 2, parts[1])
    const first = put(body)
    await isHalted
    expect(await folder.staging.parts(upload)).toEqual([])
    expect(await put()).toBe(409)
    expect(await send(upload, 1)).toBe(200)
    go()
    expect(await first).toBe(200)
    expect(await put()).toBe(200)
  })

  it('stays received if a repeat breaks off or has wrong bytes', async () => {
    const upload = await begin()
    const put = await request(upload, 2, parts[1])
    await put()
    expect(await put(broken(parts[1]))).toBeGreaterThanOrEqual(500)
    expect(await put(other)).toBe(400)
    expect(await folder.staging.parts(upload)).toEqual([received(2)])
  })

  it('stays received until a replacement has fully arrived, and leaves nothing else', async () => {
    const upload = await begin()
    await send(upload, 2)
    const put = await request(upload, 2, other)
    expect(await put(broken(other))).toBeGreaterThanOrEqual(500)
    expect(await put(parts[1])).toBe(400)
    expect(await folder.staging.parts(upload)).toEqual([received(2)])
    expect(await put()).toBe(200)
    expect(await folder.staging.parts(upload)).toEqual([received(2, other)])
    expect(await readdir(join(dataDir, 'staging'))).toEqual([upload.stagingId])
    await send(upload, 1)
    await folder.staging.complete(upload, [received(1), received(2, other)])
    const staged = await folder.staging.open(upload)
    const expected = hex(Buffer.concat([parts[0], other]))
    expect(staged && hex(await collect(staged.read(undefined)))).toBe(expected)
  })

  it('is refused once its upload was dropped, even while it was arriving', async () => {
    const upload = await begin()
    const { body, isHalted, go } = halting(parts[1])
    const put = await request(upload, 2, parts[1])
    const first = put(body)
    await isHalted
    await folder.staging.drop(upload)
    go()
    expect(await first).toBe(404)
    expect(await put()).toBe(404)
    expect(await folder.staging.parts(upload)).toBeUndefined()
    expect(await readdir(join(dataDir, 'staging'))).toEqual([])
  })

  const fileOf = (upload: StagedUpload) => join(dataDir, 'staging', upload.stagingId ?? '')

  it.each([
    ['removed', (path: string) => rm(path)],
    ['cut short', (path: string) => truncate(path, 16 * MIB)],
  ])('is refused, received or not, once its file was %s; the log names that file once', async (_, lose) => {
    const upload = await begin()
    const puts = [await request(upload, 1, parts[0]), await request(upload, 2, parts[1])]
    expect(await puts[1]?.()).toBe(200)
    await lose(fileOf(upload))
    for (const put of puts) expect(await put()).toBe(404)
    expect(await folder.staging.parts(upload)).toBeUndefined()
    expect(messages).toEqual([expect.stringContaining(`${fileOf(upload)} was removed or cut short`)])
    expect(messages[0]).toContain(`b/a/v@${blob.digest}`)
  })

  it.each([
    [1, 'large', parts[0]],
    [2, 'small', parts[1]],
  ] as const)(
    '(%d, %s) is not received if its file was removed while it was arriving',
    async (number, _, part) => {
      const upload = await begin()
      const { body, isHalted, go } = halting(part)
      const first = (await request(upload, number, part))(body)
      await isHalted
      await rm(fileOf(upload))
      go()
      expect(await first).toBe(404)
      expect(messages).toHaveLength(1)
    },
  )

  it('of an earlier attempt never reaches a later one', async () => {
    const late = await request(await begin('first'), 2, parts[1])
    const upload = await begin('second')
    expect(await late()).toBe(200)
    expect(await folder.staging.parts(upload)).toEqual([])
  })

  it('survives a restart, and its request stays valid', async () => {
    const upload = await begin()
    await folder.uploads.write(rowOf(upload), undefined)
    const put = await request(upload, 1, parts[0])
    await send(upload, 2)
    await folder.close()
    folder = await openFolder(dataDir, { clock: () => now })
    expect(await folder.staging.parts(upload)).toEqual([received(2)])
    expect(await put()).toBe(200)
    expect(await folder.staging.complete(upload, [received(1), received(2)])).toBe('complete')
  })
})

const rowOf = (upload: StagedUpload) =>
  recordOf(upload.id, upload.size, { ...upload, expiresAt: now + 60 * SECOND })

describe('the completed upload', () => {
  it('takes no space before its parts arrive', async () => {
    await begin()
    const [name = ''] = await readdir(join(dataDir, 'staging'))
    const { size, blocks } = await stat(join(dataDir, 'staging', name))
    expect(size).toBe(whole.byteLength)
    expect(blocks * 512).toBeLessThan(MIB)
  })

  it('is refused while a part is missing or differs from the listed one', async () => {
    const upload = await begin()
    await send(upload, 1)
    expect(await folder.staging.complete(upload, [received(1)])).toBe('incomplete')
    await send(upload, 2)
    expect(await folder.staging.complete(upload, [received(1), received(2, other)])).toBe('incomplete')
    await send(upload, 2, other)
    expect(await folder.staging.complete(upload, [received(1), received(2)])).toBe('incomplete')
    expect(await folder.staging.complete(upload, [received(1), received(2, other)])).toBe('complete')
  })

  it('keeps its bytes if it completes before a replacement has arrived, which is then refused', async () => {
    const upload = await begin()
    await send(upload, 1)
    await send(upload, 2)
    const { body, isHalted, go } = halting(other)
    const replacing = (await request(upload, 2, other))(body)
    await isHalted
    expect(await folder.staging.complete(upload, [received(1), received(2)])).toBe('complete')
    go()
    expect(await replacing).toBe(404)
    const staged = await folder.staging.open(upload)
    expect(staged && digestOf(await collect(staged.read(undefined)))).toBe(digestOf(whole))
  })

  it('accepts no part once complete, and has the received bytes', async () => {
    const upload = await begin()
    await send(upload, 2)
    await send(upload, 1)
    expect(await folder.staging.complete(upload, [received(1), received(2)])).toBe('complete')
    expect(await folder.staging.complete(upload, [received(1), received(2)])).toBe('complete')
    expect(await folder.staging.parts(upload)).toBeUndefined()
    expect(await send(upload, 2, other)).toBe(404)
    const staged = await folder.staging.open(upload)
    expect(staged?.size).toBe(whole.byteLength)
    expect(digestOf(await collect(staged?.read(undefined) ?? expect.fail()))).toBe(blob.digest)
  })

  it('can be poured, with the same bytes as when it is iterated', async () => {
    const upload = await begin()
    await send(upload, 1)
    await send(upload, 2)
    await folder.staging.complete(upload, [received(1), received(2)])
    const stream = (await folder.staging.open(upload))?.read(undefined)
    if (!stream || !isPourable(stream)) return expect.fail('a large staging file can be poured')
    const hash = createHash('sha256')
    await stream.pour(async (chunk) => void hash.update(chunk))
    expect(hash.digest('hex')).toBe(hex(whole))
  })

  it('becomes the blob by a rename: on disk once, read-only, attested', async () => {
    const upload = await begin()
    await send(upload, 1)
    await send(upload, 2)
    await folder.staging.complete(upload, [received(1), received(2)])
    const [name = ''] = await readdir(join(dataDir, 'staging'))
    const { ino } = await stat(join(dataDir, 'staging', name))
    const promotion = await (await folder.staging.open(upload))?.promote(blob, described())
    expect(await folder.blobs.inspect(blob)).toEqual({ found: false })
    expect(await promotion?.publish()).toBe('written')
    expect(await folder.blobs.inspect(blob)).toEqual({ found: true, size: whole.byteLength, attested: true })
    const path = join(blobFolder(join(dataDir, 'blobs'), blob), blobName(blob))
    const stats = await stat(path)
    expect([stats.ino, stats.mode & 0o222]).toEqual([ino, 0])
    expect(digestOf(await readFile(path))).toBe(blob.digest)
    expect(await folder.staging.open(upload)).toBeUndefined()
    await folder.staging.drop(upload)
    expect(await folder.blobs.inspect(blob)).toMatchObject({ found: true })
  })

  it('leaves an attested blob under the final name unchanged', async () => {
    const upload = await begin()
    await send(upload, 1)
    await send(upload, 2)
    await folder.staging.complete(upload, [received(1), received(2)])
    const staged = await folder.staging.open(upload)
    async function* source() {
      yield whole
    }
    await folder.blobs.write(blob, source(), { size: undefined, description: described(), signal: undefined })
    expect(await (await staged?.promote(blob, described()))?.publish()).toBe('exists')
  })
})
