/** The check of a data folder: finds every entry whose bytes are missing or wrong, counts unreferenced blobs, and changes nothing. */
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BlobId, Entry } from '../../../lib/domain/entry.ts'
import type { Damage } from '../../../lib/local/blob-fault.ts'
import { blobFolder, blobName } from '../../../lib/local/blob-names.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { checkFolder, type Unreferenced } from '../../../lib/local/folder-check.ts'
import { lockFolder } from '../../../lib/local/folder-lock.ts'
import { SMALL_BLOB_BYTES } from '../../../lib/local/ledger/record.ts'
import { described } from '../../support/described.ts'
import { digestOf, entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'
import { artifact, LogUnderTest, STORE_ID, storeAll } from './ledger/log-under-test.ts'

let dataDir: string
let folder: Folder

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-check-'))
  folder = await openFolder(dataDir)
})
afterEach(() => rm(dataDir, { recursive: true }))

/** Larger than what is kept in the ledger's own file. */
const FILE = SMALL_BLOB_BYTES + 10

const LOG = 'ledger/00000001.log'

const pathOf = (blob: BlobId) => join(blobFolder(join(dataDir, 'blobs'), blob), blobName(blob))

async function write(entry: Entry, bytes: Uint8Array) {
  await folder.blobs.write(entry, inChunks(bytes, 65_536), {
    size: bytes.byteLength,
    description: described(),
    signal: undefined,
  })
}
async function stored(text: string, bytes: Uint8Array): Promise<Entry> {
  const entry = entryOf(text, bytes)
  await write(entry, bytes)
  await folder.ledger.append(entry, text)
  return entry
}
async function check(verify = false, signal = new AbortController().signal) {
  const damaged: Damage[] = []
  const unreferenced: Unreferenced[] = []
  const totals = await checkFolder(dataDir, {
    verify,
    signal,
    onDamage: (damage) => void damaged.push(damage),
    onUnreferenced: (file) => void unreferenced.push(file),
  })
  return { ...totals, damaged, unreferenced }
}

const quiet = {
  verify: false,
  signal: new AbortController().signal,
  onDamage: () => {},
  onUnreferenced: () => {},
}

describe('a check', () => {
  it('finds no damage if every entry has its bytes', async () => {
    await stored('b/a/v1', someBytes(FILE))
    await stored('b/a/v2', someBytes(0))
    await stored('B/Model:7B/v1', someBytes(1000))
    await stored(`b/${'X'.repeat(128)}/${'Y'.repeat(128)}`, someBytes(5))
    // Next to `b/a`, before and after it in the order of names.
    for (const artifact of ['a-', 'a.', 'a0', 'aa']) await stored(`b/${artifact}/v`, someBytes(3))
    await folder.close()
    for (const verify of [false, true])
      expect(await check(verify)).toEqual({ entries: 8, size: FILE + 1017, damaged: [], unreferenced: [] })
  })

  it('finds an entry whose blob is missing, truncated, or not a file', async () => {
    const missing = await stored('b/a/missing', someBytes(FILE))
    const short = await stored('b/a/short', someBytes(FILE))
    const strange = await stored('b/a/strange', someBytes(FILE))
    const whole = await stored('b/gone/whole', someBytes(FILE))
    await stored('b/a/fine', someBytes(10))
    await folder.close()
    await rm(pathOf(missing))
    await truncate(pathOf(short), 9)
    await rm(pathOf(strange))
    await mkdir(pathOf(strange))
    await rm(dirname(pathOf(whole)), { recursive: true })
    const { damaged, unreferenced, entries } = await check()
    expect(damaged.map(({ entry, fault, foundSize }) => [entry.ref.version, fault, foundSize])).toEqual([
      ['missing', 'missing', undefined],
      ['short', 'wrong_size', 9],
      ['strange', 'unreadable', undefined],
      ['whole', 'missing', undefined],
    ])
    expect([entries, unreferenced]).toEqual([5, []])
  })

  it('finds a flipped byte only if it reads the bytes', async () => {
    const bytes = someBytes(300_000)
    const entry = await stored('b/a/v', bytes)
    await stored('b/a/fine', bytes)
    await folder.close()
    const flipped = bytes.map((byte, at) => (at === 299_999 ? byte ^ 1 : byte))
    await chmod(pathOf(entry), 0o600)
    await writeFile(pathOf(entry), flipped)
    expect((await check()).damaged).toEqual([])
    expect((await check(true)).damaged).toEqual([
      {
        entry,
        fault: 'wrong_digest',
        foundDigest: digestOf(flipped),
        path: `blobs/b/a/v@${entry.digest.slice(7)}`,
      },
    ])
  })

  it('counts unreferenced blobs, next to referenced ones and in folders of their own', async () => {
    await stored('b/a/v', someBytes(10))
    const lost = entryOf('b/a/v', someBytes(FILE, 2))
    const alone = entryOf('c/never/v', someBytes(FILE))
    await write(lost, someBytes(FILE, 2))
    await write(alone, someBytes(FILE))
    await folder.close()
    await writeFile(join(dataDir, 'blobs', 'note.txt'), 'a stranger')
    expect((await check(true)).unreferenced).toEqual([
      { path: `blobs/b/a/v@${lost.digest.slice(7)}`, size: FILE },
      { path: `blobs/c/never/v@${alone.digest.slice(7)}`, size: FILE },
      { path: 'blobs/note.txt', size: 10 },
    ])
  })

  it('finds a flipped byte of a small blob, which the ledger holds', async () => {
    const bytes = someBytes(1000)
    const entry = await stored('b/a/small', bytes)
    await folder.close()
    const path = join(dataDir, LOG)
    const file = await readFile(path)
    const at = file.indexOf(Buffer.from(bytes.subarray(0, 100)))
    file[at + 50] = (file[at + 50] ?? 0) ^ 1
    await writeFile(path, file)
    expect((await check()).damaged).toMatchObject([{ entry, fault: 'wrong_digest', path: LOG }])
  })

  it('names each sealed segment that was altered', async () => {
    await folder.close()
    await rm(dataDir, { recursive: true })
    await mkdir(join(dataDir, 'blobs'), { recursive: true })
    const log = await new LogUnderTest(dataDir).create()
    const opened = await log.open({ segmentBytes: 800 })
    for (let at = 0; at < 40; at += 1) await storeAll(opened, [artifact(`v${at}`)])
    await opened.close()
    await writeFile(join(dataDir, 'format'), `bucket-folder 2\n${STORE_ID}\n`)
    const segments = (await readdir(log.folder)).length
    expect(segments).toBeGreaterThan(4)
    // The last byte of a segment is one of a blob, so no record is damaged. Only the last segment is still written to.
    for (const number of [2, 4, segments]) {
      const path = log.path(number)
      await chmod(path, 0o600)
      const file = await open(path, 'r+')
      await file.write(Buffer.from([0xff]), 0, 1, log.size(number) - 1)
      await file.close()
    }
    const messages: string[] = []
    const damaged: Damage[] = []
    await checkFolder(dataDir, {
      ...quiet,
      onDamage: (damage) => damaged.push(damage),
      onLedgerDamage: (message) => messages.push(message),
    })
    expect(messages).toEqual([
      '00000002.log has changed since it was sealed',
      '00000004.log has changed since it was sealed',
    ])
    expect(damaged.map(({ path }) => path)).toEqual(
      [2, 4, segments].map((number) => `ledger/0000000${number}.log`),
    )
  })

  it('knows before it reads the first file how many bytes it will read', async () => {
    await stored('b/a/first', someBytes(300_000))
    await stored('b/a/small', someBytes(1000))
    await stored('b/a/second', someBytes(500_000))
    await folder.close()
    const totals = new Set<number>()
    let last = 0
    const onProgress = (bytes: number, total: number) => {
      totals.add(total)
      last = bytes
    }
    await checkFolder(dataDir, { ...quiet, verify: true, onProgress })
    expect([[...totals], last]).toEqual([[801_000], 801_000])
  })

  it('follows a ledger over many pages', async () => {
    const entries = Array.from({ length: 2_500 }, (_, at) => entryOf(`b/a${at % 7}/v${at}`, someBytes(1)))
    await Promise.all(entries.map((entry) => folder.ledger.append(entry, entry.ref.version)))
    await folder.close()
    const { damaged, entries: count } = await check()
    expect([count, damaged.length]).toEqual([2_500, 2_500])
    expect(new Set(damaged.map(({ entry }) => entry.ref.version)).size).toBe(2_500)
  })

  it('changes nothing, and creates nothing in a foreign folder', async () => {
    await stored('b/a/v', someBytes(10))
    await folder.close()
    const ledger = await readFile(join(dataDir, LOG))
    const names = (await readdir(dataDir, { recursive: true })).sort()
    const { mtimeMs } = await stat(join(dataDir, 'uploads.mdb'))
    await check(true)
    expect((await readdir(dataDir, { recursive: true })).sort()).toEqual(names)
    expect((await readFile(join(dataDir, LOG))).equals(ledger)).toBe(true)
    expect((await stat(join(dataDir, 'uploads.mdb'))).mtimeMs).toBe(mtimeMs)

    const other = join(dataDir, 'other')
    await mkdir(other)
    await expect(checkFolder(other, quiet)).rejects.toThrow("isn't a Bucket folder")
    expect(await readdir(other)).toEqual([])
    await expect(checkFolder(join(dataDir, 'nothing'), quiet)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is refused while a server uses the folder, and locks servers out while it runs', async () => {
    await expect(check()).rejects.toThrow('in use by another process')
    await folder.close()
    await writeFile(join(dataDir, 'blobs', 'note.txt'), 'a stranger')
    let refusal: unknown
    await checkFolder(dataDir, {
      ...quiet,
      onUnreferenced() {
        try {
          lockFolder(dataDir).release()
        } catch (error) {
          refusal = error
        }
      },
    })
    expect(refusal).toMatchObject({ message: expect.stringContaining('in use') })
    await (await openFolder(dataDir)).close()
  })

  it('stops when its signal aborts', async () => {
    await stored('b/a/v', someBytes(10))
    await folder.close()
    await expect(check(true, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
    await (await openFolder(dataDir)).close()
  })
})
