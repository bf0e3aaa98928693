/** Uploads after a restart: verifications resume, expired and orphaned data is removed, and blobs are not touched. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BlobId } from '../../../lib/domain/entry.ts'
import { UPLOAD_SECONDS } from '../../../lib/domain/limits.ts'
import { blobFiles } from '../../../lib/local/blob-files.ts'
import { cleanUp } from '../../../lib/local/clean-up.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { folderStaging } from '../../../lib/local/folder-staging.ts'
import { freeSpace } from '../../../lib/local/free-space.ts'
import { lmdbUploads } from '../../../lib/local/lmdb-uploads.ts'
import { stagingTable } from '../../../lib/local/staging-table.ts'
import { openUploadTables } from '../../../lib/local/upload-tables.ts'
import type { UploadRecord } from '../../../lib/repository/upload-ports.ts'
import { described } from '../../support/described.ts'
import { sendTo } from '../../support/endpoint-request.ts'
import { blobOf, collect, digestOf, inChunks, recordOf, someBytes } from '../../support/fake-artifacts.ts'

const HOUR = 3_600_000
let now: number
let dataDir: string
let folder: Folder

beforeEach(async () => {
  now = Date.parse('2026-11-23T04:00:00.000Z')
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-restart-'))
  folder = await openFolder(dataDir, { clock: () => now })
})
afterEach(async () => {
  await folder.close()
  await rm(dataDir, { recursive: true })
})

async function restart() {
  await folder.close()
  folder = await openFolder(dataDir, { clock: () => now })
}
const staged = () => readdir(join(dataDir, 'staging'))
const bytes = someBytes(3_000_000)
const part = {
  number: 1,
  size: bytes.byteLength,
  sha256: createHash('sha256').update(bytes).digest('hex'),
}

/** An upload of one part, which has arrived. */
async function uploaded(text: string, change: Partial<UploadRecord> = {}): Promise<UploadRecord> {
  const id = blobOf(text, bytes)
  const attempt = `attempt-of-${text}`
  const stagingId = await folder.staging.begin(id, attempt, bytes.byteLength)
  const row = recordOf(id, bytes.byteLength, {
    ...{ attempt, stagingId },
    description: described({ contentType: 'text/plain', uploadedBy: 'somebody' }),
    expiresAt: now + UPLOAD_SECONDS * 1000,
    ...change,
  })
  await folder.uploads.write(row, undefined)
  const { url, method, headers } = await folder.staging.presignPart(row, 1, part.size, part.sha256, 60)
  expect((await sendTo(folder.blobEndpoint, url, { method, headers, body: bytes })).status).toBe(200)
  return row
}
async function settled(id: BlobId) {
  for (;;) {
    const row = await folder.uploads.find(id)
    if (row?.state !== 'verifying') return row
    await wait(5)
  }
}
async function expectCommitted(id: BlobId) {
  expect(await settled(id)).toMatchObject({ state: 'committed', verifiedBytes: bytes.byteLength })
  expect(await folder.ledger.find(id.ref)).toMatchObject({ digest: id.digest, uploadedBy: 'somebody' })
  expect(digestOf(await collect(await folder.blobs.read(id, undefined, undefined)))).toBe(id.digest)
  while ((await staged()).length > 0) await wait(5)
}
const dead = () => ({ state: 'verifying' as const, leaseOwner: 'a dead verifier', leaseUntil: now + 120_000 })

describe('a verification that a killed server left', () => {
  it('resumes at once, no matter which lease it held', async () => {
    const { id, ...row } = await uploaded('b/a/v')
    await folder.staging.complete({ id, ...row }, [part])
    await folder.uploads.write({ id, ...row, ...dead(), revision: 2 }, { id, ...row })
    await restart()
    await expectCommitted(id)
  })

  it('resumes before its parts were joined', async () => {
    const { id } = await uploaded('b/a/v', dead())
    await restart()
    await expectCommitted(id)
  })

  it('resumes after its bytes got their final name', async () => {
    const row = await uploaded('b/a/v', dead())
    await folder.staging.complete(row, [part])
    await (await (await folder.staging.open(row))?.promote(row.id, described()))?.publish()
    await restart()
    await expectCommitted(row.id)
  })

  it('resumes if only the ledger has its result', async () => {
    const { id, size, description, ...row } = await uploaded('b/a/v', dead())
    await folder.blobs.write(id, inChunks(bytes, 65_536), {
      size,
      description: described(),
      signal: undefined,
    })
    const entry = { ...id, size, ...description, createdAt: new Date(now).toISOString() }
    await folder.ledger.append(entry, row.attempt)
    await restart()
    expect(await settled(id)).toMatchObject({ state: 'committed' })
    expect(await folder.ledger.find(id.ref)).toEqual(entry)
  })

  it('fails if its parts are missing, and makes nothing visible', async () => {
    const { id, stagingId } = await uploaded('b/a/v', dead())
    await unlink(join(dataDir, 'staging', stagingId ?? ''))
    await restart()
    expect(await settled(id)).toMatchObject({ state: 'failed', failure: { code: 'unavailable' } })
    expect(await folder.ledger.find(id.ref)).toBeUndefined()
  })

  it('fails if a part changed on disk after its check', async () => {
    const { id, stagingId } = await uploaded('b/a/v', dead())
    await writeFile(join(dataDir, 'staging', stagingId ?? ''), someBytes(bytes.byteLength, 2))
    await restart()
    expect(await settled(id)).toMatchObject({ state: 'failed', failure: { code: 'digest_mismatch' } })
    expect(await folder.blobs.inspect(id)).toEqual({ found: false })
  })
})

it('a verification in progress when the server stops resumes after its start', async () => {
  const row = await uploaded('b/a/v')
  const moved = { ...row, state: 'verifying' as const, revision: 2 }
  await folder.uploads.write(moved, row)
  await folder.queue.send(moved)
  await restart()
  await expectCommitted(row.id)
})

describe('at start', () => {
  it('expired uploads are removed with their parts; others stay', async () => {
    const old = await uploaded('b/a/old', { expiresAt: now + HOUR })
    const young = await uploaded('b/a/young', { expiresAt: now + HOUR + 1 })
    now += HOUR
    await restart()
    expect(await folder.uploads.find(old.id)).toBeUndefined()
    expect(await folder.staging.parts(old)).toBeUndefined()
    expect(await folder.uploads.find(young.id)).toEqual(young)
    expect(await folder.staging.parts(young)).toEqual([part])
    expect(await staged()).toEqual([young.stagingId])
  })

  it('parts without an upload are removed', async () => {
    await folder.staging.begin(blobOf('b/a/never', bytes), 'no row', 10)
    const later = await uploaded('b/a/later')
    await folder.staging.begin(later.id, 'an attempt before', 10)
    await uploaded('b/a/failed', { state: 'failed' })
    await uploaded('b/a/committed', { state: 'committed' })
    await writeFile(join(dataDir, 'staging', 'an-orphan'), 'x')
    await restart()
    expect(await staged()).toEqual([later.stagingId])
    expect(await folder.staging.parts(later)).toEqual([part])
  })

  it('blobs stay, referenced or not', async () => {
    const blob = blobOf('b/a/unreferenced', bytes)
    await folder.blobs.write(blob, inChunks(bytes, 65_536), {
      size: bytes.byteLength,
      description: described(),
      signal: undefined,
    })
    now += 365 * 24 * HOUR
    await restart()
    expect(await folder.blobs.inspect(blob)).toMatchObject({ found: true })
  })
})

describe('while the server runs', () => {
  it('a new staging file is kept, although no row names it yet', async () => {
    await folder.close()
    const tables = openUploadTables(join(dataDir, 'uploads.mdb'))
    const table = stagingTable(tables)
    const uploads = lmdbUploads(tables)
    const clock = () => now
    const staging = folderStaging({
      folder: join(dataDir, 'staging'),
      blobFiles: blobFiles(join(dataDir, 'blobs')),
      space: freeSpace(dataDir),
      secret: new Uint8Array(32),
      ...{ table, clock, onLost: () => {} },
    })
    const all = { uploads, staging, table, clock }
    const stagingId = await staging.begin(blobOf('b/a/v', bytes), 'just begun', 10)
    now += HOUR - 1
    await cleanUp(all)
    expect(await staged()).toEqual([stagingId])
    now += 1
    await cleanUp(all)
    expect(await staged()).toEqual([])
    await tables.close()
    folder = await openFolder(dataDir, { clock })
  })
})

describe('a start with a clock that is far ahead', () => {
  it('removes no upload, and says why', async () => {
    const row = await uploaded('b/a/kept')
    await folder.close()
    const messages: string[] = []
    const ahead = {
      clock: () => now + 400 * 24 * HOUR,
      log: (record: object) => 'message' in record && messages.push(String(record.message)),
    }
    await (await openFolder(dataDir, ahead)).close()
    expect(messages.join('\n')).toContain('in case the clock is wrong')
    folder = await openFolder(dataDir, { clock: () => now })
    expect(await folder.uploads.find(row.id)).toEqual(row)
    expect(await staged()).toHaveLength(1)
  })
})
