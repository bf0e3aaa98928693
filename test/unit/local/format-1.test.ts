/** A data folder of format 1, as the version before wrote it, opens with everything in it, and unfinished uploads are resumed. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestFromHex, digestHex } from '../../../lib/domain/digest.ts'
import { partSize } from '../../../lib/domain/limits.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { type Folder, type FolderRecord, openFolder } from '../../../lib/local/folder.ts'
import { checkFolder } from '../../../lib/local/folder-check.ts'
import { described } from '../../support/described.ts'
import { sendTo } from '../../support/endpoint-request.ts'
import { collect, digestOf } from '../../support/fake-artifacts.ts'
import { type KilledProgram, killedProgram, STRIDE } from '../../support/killed-program.ts'

/** The fixture's uploads expire on 2026-12-05. */
const clock = () => Date.parse('2026-11-30T12:00:00.000Z')

const SMALL = {
  ref: parseRef('demo/small/v1'),
  digest: digestFromHex('b2932bac7b1f50d2d9ea6ba20804c6d2ad4295169f8e83cd33406e34843653af'),
  size: 17,
  contentType: 'text/plain',
  uploadedBy: 'alice',
  provenanceSource: 'run-17',
  createdAt: '2026-11-28T17:36:05.676Z',
}
const LARGE_DIGEST = digestFromHex('549913536d3b0b80cab3bdee564c87a16c9191e0f943d462cd5e46456407ee6c')
const plain = described()
const ENTRIES = [
  SMALL,
  {
    ref: parseRef('demo/Small.Case:x/v1.0'),
    digest: LARGE_DIGEST,
    size: 20_480,
    ...plain,
    createdAt: '2026-11-28T17:36:06.111Z',
  },
  {
    ref: parseRef('demo/empty/v1'),
    digest: digestOf(new Uint8Array()),
    size: 0,
    ...plain,
    createdAt: '2026-11-28T17:36:06.604Z',
  },
  {
    ref: parseRef('demo/uploaded/v1'),
    digest: LARGE_DIGEST,
    size: 20_480,
    ...plain,
    uploadedBy: 'bob',
    createdAt: '2026-11-28T17:36:06.776Z',
  },
]
const MULTIPART = {
  ref: parseRef('demo/open-multipart/v1'),
  digest: digestFromHex('10c00e69a4d6729c6c29c7128b8ced21dc53da72ac3b0c9b16c3be9c7a303927'),
}

let unpacked: string
let dataDir: string
let records: FolderRecord[]
let folder: Folder | undefined

beforeAll(() => {
  unpacked = mkdtempSync(join(tmpdir(), 'bucket-format-1-'))
  execFileSync('tar', ['-xzf', resolve('test/fixtures/folder-format-1.tar.gz'), '-C', unpacked])
})
afterAll(() => rmSync(unpacked, { recursive: true }))
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'bucket-moved-'))
  reset()
})
afterEach(async () => {
  await folder?.close()
  folder = undefined
  rmSync(dataDir, { recursive: true })
})

function reset() {
  rmSync(dataDir, { recursive: true })
  cpSync(unpacked, dataDir, { recursive: true })
  records = []
}
async function open(): Promise<Folder> {
  const log = (record: object) => 'message' in record && records.push(record as FolderRecord)
  folder = await openFolder(dataDir, { clock, log })
  return folder
}
async function close() {
  await folder?.close()
  folder = undefined
}

async function expectEverything({ ledger, blobs, uploads, staging }: Folder) {
  for (const entry of ENTRIES) {
    expect(await ledger.find(entry.ref)).toEqual(entry)
    expect(digestOf(await collect(await blobs.read(entry, undefined, undefined)))).toBe(entry.digest)
    expect((await ledger.list(entry.ref, undefined, 10)).entries).toEqual([entry])
  }
  const single = await uploads.find({ ref: parseRef('demo/open-single/v1'), digest: LARGE_DIGEST })
  expect(single).toMatchObject({ state: 'open', mode: 'single', size: 20_480, description: plain })
  const multipart = await uploads.find(MULTIPART)
  expect(multipart).toMatchObject({
    ...{ state: 'open', mode: 'multipart', size: 17_186_816 },
    description: { contentType: 'text/plain', uploadedBy: 'carol', provenanceSource: 'run-18' },
  })
  expect(multipart && (await staging.parts(multipart))).toMatchObject([{ number: 2, size: 409_600 }])
  expect(await uploads.find({ ref: parseRef('demo/uploaded/v1'), digest: LARGE_DIGEST })).toMatchObject({
    state: 'committed',
  })
}

describe('a folder of format 1', () => {
  it('is migrated at the first start with a log line, and has every entry, blob and upload', async () => {
    await expectEverything(await open())
    expect(records.map(({ operation }) => operation)).toEqual(['move_folder', 'open_folder'])
    expect(records[0]?.message).toContain('moved 4 entries from format 1')
    await close()
    expect(readFileSync(join(dataDir, 'format'), 'latin1')).toMatch(/^bucket-folder 2\n/)
    expect(existsSync(join(dataDir, 'ledger.mdb'))).toBe(false)
    records = []
    await expectEverything(await open())
    expect(records.map(({ operation }) => operation)).toEqual(['open_folder'])
    await close()
    const damaged: unknown[] = []
    const totals = await checkFolder(dataDir, {
      verify: true,
      signal: new AbortController().signal,
      onDamage: (damage) => damaged.push(damage),
      onUnreferenced: (file) => damaged.push(file),
    })
    expect([totals, damaged]).toEqual([{ entries: 4, size: 17 + 2 * 20_480 }, []])
  })

  it('keeps its uploads resumable', async () => {
    const { blobs, blobEndpoint, ledger, uploads, staging, queue } = await open()
    const single = { ref: parseRef('demo/open-single/v1'), digest: LARGE_DIGEST }
    const whole = await collect(
      await blobs.read({ ...single, ref: ENTRIES[1]?.ref ?? single.ref }, undefined, undefined),
    )
    const put = await blobs.presignPut(single, whole.byteLength, plain, 60)
    expect((await sendTo(blobEndpoint, put.url, { ...put, body: whole })).status).toBe(200)
    expect(await blobs.inspect(single)).toEqual({ found: true, size: 20_480, attested: true })

    const row = await uploads.find(MULTIPART)
    if (!row) throw new Error('the upload is gone')
    // The bytes of the fixture: blocks of 4 KiB, each of one value.
    const bytes = Buffer.alloc(row.size)
    for (let block = 0; block * 4096 < row.size; block += 1)
      bytes.fill(block % 251, block * 4096, (block + 1) * 4096)
    const first = bytes.subarray(0, partSize(row.size))
    const sha256 = createHash('sha256').update(first).digest('hex')
    const part = await staging.presignPart(row, 1, first.byteLength, sha256, 60)
    expect((await sendTo(blobEndpoint, part.url, { ...part, body: first })).status).toBe(200)
    const parts = await staging.parts(row)
    expect(parts).toHaveLength(2)
    expect(await staging.complete(row, parts ?? [])).toBe('complete')
    await uploads.write({ ...row, state: 'verifying', revision: row.revision + 1 }, row)
    await queue.send(row)
    await expect.poll(async () => (await uploads.find(MULTIPART))?.state).toBe('committed')
    const entry = await ledger.find(MULTIPART.ref)
    expect(entry).toMatchObject({ digest: MULTIPART.digest, size: row.size, uploadedBy: 'carol' })
    expect(digestOf(await collect(await blobs.read(MULTIPART, undefined, undefined)))).toBe(MULTIPART.digest)
  })

  it('without its ledger, or with a damaged one, is refused and unchanged', async () => {
    const ledger = join(dataDir, 'ledger.mdb')
    const bytes = readFileSync(ledger)
    for (const damaged of [
      Buffer.alloc(0),
      bytes.subarray(0, 20_000),
      Buffer.from(bytes).fill(7, 4096 * 2),
    ]) {
      writeFileSync(ledger, damaged)
      await expect(open()).rejects.toMatchObject({
        name: 'FolderDamaged',
        message: expect.stringContaining('ledger.mdb is damaged'),
        next: expect.stringContaining('backup'),
      })
      expect(readFileSync(ledger).equals(damaged)).toBe(true)
    }
    rmSync(ledger)
    await expect(open()).rejects.toThrow('ledger.mdb is missing')
    writeFileSync(ledger, bytes)
    await expectEverything(await open())
  })

  it('keeps a small blob without an entry, because its upload may be committed later', async () => {
    const id = { ref: parseRef('demo/waiting/v1'), digest: SMALL.digest }
    const { open: openLmdb } = await import('lmdb')
    const environment = openLmdb({ path: join(dataDir, 'ledger.mdb') })
    const key = Buffer.from(`demo/waiting/v1/${digestHex(SMALL.digest)}`)
    const table = environment.openDB({ name: 'blobs', keyEncoding: 'binary', encoding: 'binary' })
    await table.put(key, Buffer.from('a small artifact\n'))
    await environment.close()
    const { blobs } = await open()
    expect(await blobs.inspect(id)).toMatchObject({ found: true, size: 17 })
    expect(digestOf(await collect(await blobs.read(id, undefined, undefined)))).toBe(SMALL.digest)
  })
})

describe('a migration that is killed', () => {
  let program: KilledProgram
  beforeAll(async () => {
    program = await killedProgram(`
      import { openFolder } from './lib/local/folder.ts'
      openFolder(process.argv[2]!, { clock: () => ${clock()} })
        .then((folder) => folder.close())
        .catch((error) => { console.error(error); process.exit(1) })`)
  }, 60_000)
  afterAll(() => program.remove())

  it('at any step is completed by the next start, with every entry, blob and upload', {
    timeout: 300_000,
  }, async () => {
    let steps = 0
    for (let step = 1, isKilled = true; isKilled; step += STRIDE) {
      reset()
      isKilled = program.runUntil(step, dataDir)
      await expectEverything(await open())
      await close()
      expect(readdirSync(dataDir).sort()).toEqual([
        ...['blobs', 'format', 'index.mdb', 'index.mdb-lock', 'index.proof', 'ledger', 'ledger.format-1.mdb'],
        ...['lock', 'secret', 'staging', 'tmp', 'uploads.mdb', 'uploads.mdb-lock'],
      ])
      steps = step
    }
    expect(steps).toBeGreaterThan(20)
  })
})
