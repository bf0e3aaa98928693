/** A full disk: the store is refused with this reason, nothing is visible, and the next store works once there is space. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, statfsSync, writeSync } from 'node:fs'
import { mkdtemp, readdir, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestHex } from '../../../lib/domain/digest.ts'
import type { Entry } from '../../../lib/domain/entry.ts'
import { type Folder, type FolderRecord, openFolder } from '../../../lib/local/folder.ts'
import { openRecord } from '../../../lib/repository/upload-record.ts'
import { described } from '../../support/described.ts'
import { sendTo } from '../../support/endpoint-request.ts'
import { blobOf, collect, digestOf, entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'

const MIB = 1024 * 1024

/** Mounts a file system of 8 MiB, if this user may. */
function mountSmall(folder: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'pipe' })
    return undefined
  } catch (error) {
    return `a small file system cannot be mounted here: ${error instanceof Error ? error.message.split('\n')[0] : ''}`
  }
}

const mounted = await mkdtemp(join(tmpdir(), 'bucket-full-'))
const cannotMount = mountSmall(mounted)

describe(`a full disk${cannotMount ? ` (skipped: ${cannotMount})` : ''}`, () => {
  let folder: Folder
  let now = Date.now()
  const lines: FolderRecord[] = []
  const dataDir = join(mounted, 'data')
  const ballast = join(mounted, 'ballast')

  beforeAll(async () => {
    if (!cannotMount)
      folder = await openFolder(dataDir, {
        clock: () => now,
        log: (line) => 'folder' in line && lines.push(line),
      })
  })
  afterAll(async () => {
    await folder?.close()
    if (!cannotMount) execFileSync('umount', [mounted])
    await rm(mounted, { recursive: true })
  })

  const write = (text: string, bytes: Uint8Array) =>
    folder.blobs.write(blobOf(text, bytes), inChunks(bytes, 65_536), {
      size: bytes.byteLength,
      description: described({ contentType: 'text/plain' }),
      signal: undefined,
    })
  const rowOf = (text: string) =>
    openRecord(
      {
        id: blobOf(text, someBytes(1)),
        size: 1,
        mode: 'single',
        description: described({ contentType: 'x', provenanceSource: 'p'.repeat(1024) }),
      },
      text,
      null,
      Date.now(),
      undefined,
    )
  /** Takes every block there is. */
  function fill() {
    const fd = openSync(ballast, 'w')
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096))
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' })
    } finally {
      closeSync(fd)
    }
    expect(statfsSync(mounted).bavail).toBe(0)
  }
  let fillers = 0
  /** Takes the room that the ledger has reserved, too. */
  async function fillLedger() {
    fill()
    for (;;) {
      const filler = entryOf(`b/filler/v${fillers++}`, someBytes(1), { provenanceSource: 'p'.repeat(1024) })
      const result = await folder.ledger.append(filler, 'filler').catch((error: unknown) => error)
      if (!(result instanceof Error)) continue
      expect(result).toMatchObject({ code: 'insufficient_storage' })
      return
    }
  }

  it.skipIf(cannotMount)(
    'refuses a blob that does not fit, leaves nothing, and accepts the next small one',
    async () => {
      const large = someBytes(20 * MIB)
      await expect(write('b/a/large', large)).rejects.toMatchObject({
        code: 'insufficient_storage',
      })
      expect(await folder.blobs.inspect(blobOf('b/a/large', large))).toEqual({ found: false })
      expect(await readdir(join(dataDir, 'tmp'))).toEqual([])
      const small = someBytes(1000)
      expect(await write('b/a/small', small)).toBe('written')
      expect(
        digestOf(await collect(await folder.blobs.read(blobOf('b/a/small', small), undefined, undefined))),
      ).toBe(digestOf(small))
    },
  )

  it.skipIf(cannotMount)('refuses several concurrent blobs, and leaves nothing of them', async () => {
    const large = someBytes(5 * MIB)
    const results = await Promise.allSettled(
      ['1', '2', '3', '4'].map((version) => write(`b/many/${version}`, large)),
    )
    const refused = results.filter(({ status }) => status === 'rejected')
    expect(refused.length).toBeGreaterThanOrEqual(3)
    for (const result of refused) expect(result).toMatchObject({ reason: { code: 'insufficient_storage' } })
    expect(await readdir(join(dataDir, 'tmp'))).toEqual([])
  })

  it.skipIf(cannotMount)(
    'refuses an entry that the ledger cannot write, keeps the old ones, and accepts it once there is space',
    async () => {
      const before = entryOf('b/ledger/before', someBytes(1))
      await folder.ledger.append(before, 'before')
      await fillLedger()
      const entries = Array.from({ length: 30 }, (_, index) =>
        entryOf(`b/ledger/v${index}`, someBytes(index), { provenanceSource: 'p'.repeat(1024) }),
      )
      const results = await Promise.allSettled(entries.map((entry) => folder.ledger.append(entry, 'full')))
      for (const result of results)
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'insufficient_storage' } })
      expect(await folder.ledger.find(before.ref)).toEqual(before)
      for (const entry of entries) expect(await folder.ledger.find(entry.ref)).toBeUndefined()
      await unlink(ballast)
      for (const entry of entries) expect((await folder.ledger.append(entry, 'room')).appended).toBe(true)
      const page = await folder.ledger.list(before.ref, undefined, 100)
      expect(page.entries).toHaveLength(31)
    },
  )

  it.skipIf(cannotMount)(
    'refuses a part that does not fit with 507, keeps the received ones, and accepts it once there is space',
    async () => {
      const first = someBytes(16 * MIB)
      const last = someBytes(1000)
      const id = blobOf('b/a/parts', first)
      const size = first.byteLength + last.byteLength
      await expect(folder.staging.begin(id, '1', size)).rejects.toMatchObject({
        code: 'insufficient_storage',
      })
      // It began while there was space, which others have used since.
      execFileSync('mount', ['-o', 'remount,size=40m', mounted])
      const upload = { id, attempt: '1', size, stagingId: await folder.staging.begin(id, '1', size) }
      execFileSync('mount', ['-o', 'remount,size=8m', mounted])
      const send = async (number: number, bytes: Uint8Array) => {
        const sha256 = digestHex(digestOf(bytes))
        const part = await folder.staging.presignPart(upload, number, bytes.byteLength, sha256, 60)
        return (await sendTo(folder.blobEndpoint, part.url, { ...part, body: bytes })).status
      }
      expect(await send(2, last)).toBe(200)
      expect(await send(1, first)).toBe(507)
      expect(await folder.staging.parts(upload)).toMatchObject([{ number: 2 }])
      execFileSync('mount', ['-o', 'remount,size=40m', mounted])
      expect(await send(1, first)).toBe(200)
      expect(await folder.staging.parts(upload)).toMatchObject([{ number: 1 }, { number: 2 }])
      await folder.staging.drop(upload)
      execFileSync('mount', ['-o', 'remount,size=8m', mounted])
    },
  )

  it.skipIf(cannotMount)(
    'tells the operator, once an hour, which unfinished uploads take the space of a full disk',
    async () => {
      // Less than the earlier tests leave free.
      const bytes = someBytes(MIB, 5)
      const upload = { id: blobOf('b/a/holds', bytes), attempt: '1', size: bytes.byteLength }
      const stagingId = await folder.staging.begin(upload.id, '1', upload.size)
      const sha256 = digestHex(digestOf(bytes))
      const part = await folder.staging.presignPart({ ...upload, stagingId }, 1, upload.size, sha256, 60)
      expect((await sendTo(folder.blobEndpoint, part.url, { ...part, body: bytes })).status).toBe(200)
      const reports = () => lines.filter(({ operation }) => operation === 'full_disk')
      const refuse = () =>
        expect(write('b/a/other', someBytes(20 * MIB))).rejects.toMatchObject({
          code: 'insufficient_storage',
        })
      now += 3_600_000
      const before = reports().length
      await refuse()
      await refuse()
      expect(reports()).toHaveLength(before + 1)
      expect(reports().at(-1)).toMatchObject({ uploadBytes: upload.size })
      expect(reports().at(-1)?.message).toContain(
        `unfinished uploads take ${upload.size} bytes: b/a/holds@sha256:${sha256} (${upload.size} bytes, begun `,
      )
      await folder.staging.drop({ ...upload, stagingId })
      now += 3_600_000
      await refuse()
      expect(reports().at(-1)).toMatchObject({ uploadBytes: 0 })
    },
  )

  it.skipIf(cannotMount)(
    'refuses an upload whose row cannot be written, and accepts it once there is space',
    async () => {
      const rows = Array.from({ length: 30 }, (_, index) => rowOf(`b/rows/v${index}`))
      fill()
      const results = await Promise.allSettled(rows.map((row) => folder.uploads.write(row, undefined)))
      for (const result of results)
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'insufficient_storage' } })
      await unlink(ballast)
      for (const row of rows) expect(await folder.uploads.write(row, undefined)).toBe(true)
    },
  )

  it.skipIf(cannotMount)(
    'refuses a small blob with its entry, and accepts both once there is space',
    async () => {
      const bytes = someBytes(8_000, 7)
      const entries = Array.from({ length: 30 }, (_, index) => entryOf(`b/both/v${index}`, bytes))
      await fillLedger()
      const store = async (entry: (typeof entries)[number]) => {
        await write(`b/both/${entry.ref.version}`, bytes)
        return folder.ledger.append(entry, 'both')
      }
      for (const result of await Promise.allSettled(entries.map(store)))
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'insufficient_storage' } })
      for (const entry of entries) {
        expect(await folder.ledger.find(entry.ref)).toBeUndefined()
        expect(await folder.blobs.inspect(entry)).toEqual({ found: false })
      }
      await unlink(ballast)
      for (const entry of entries) expect((await store(entry)).appended).toBe(true)
    },
  )

  it.skipIf(cannotMount)('fails the health check while it is full', async () => {
    fill()
    const full = await write('b/a/file', someBytes(20_000, 9)).catch((error: unknown) => error)
    expect(full).toMatchObject({ code: 'insufficient_storage' })
    await expect(folder.blobs.check()).rejects.toMatchObject({ code: 'insufficient_storage' })
    await unlink(ballast)
    await folder.blobs.check()
  })

  it.skipIf(cannotMount)(
    'under many writers has every small blob whose store succeeded, and no other',
    { timeout: 60_000 },
    async () => {
      const sizes = [100, 1000, 5000, 16_000]
      const tried: { entry: Entry; stored: boolean }[] = []
      const store = async (index: number) => {
        const bytes = someBytes(sizes[index % sizes.length] ?? 1, index + 1)
        const entry = entryOf(`b/many-small/v${index}`, bytes)
        const stored = await write(`b/many-small/v${index}`, bytes)
          .then(() => folder.ledger.append(entry, 'many'))
          .then(({ appended }) => appended)
          .catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'insufficient_storage' })
            return false
          })
        tried.push({ entry, stored })
      }
      let next = 0
      const writer = async () => {
        while (next < 3000) await store(next++)
      }
      await Promise.all(Array.from({ length: 16 }, writer))
      await folder.close()
      folder = await openFolder(dataDir)
      const stored = tried.filter(({ stored }) => stored)
      expect(stored.length).toBeGreaterThan(100)
      expect(tried.length - stored.length).toBeGreaterThan(100)
      for (const { entry, stored } of tried) {
        const found = await folder.ledger.find(entry.ref)
        expect(found).toEqual(stored ? entry : undefined)
        if (found)
          expect(digestOf(await collect(await folder.blobs.read(found, undefined, undefined)))).toBe(
            entry.digest,
          )
      }
    },
  )
})
