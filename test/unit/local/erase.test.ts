/** The owner of a folder can erase a version permanently, and discard damaged records; everything else is unchanged. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Entry } from '../../../lib/domain/entry.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { discardDamage, eraseVersion } from '../../../lib/local/erase.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { checkFolder } from '../../../lib/local/folder-check.ts'
import { described } from '../../support/described.ts'
import { collect, digestOf, entryOf, inChunks, someBytes } from '../../support/fake-artifacts.ts'
import { artifact, LogUnderTest, storeAll } from './ledger/log-under-test.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'bucket-erase-'))
})
afterEach(() => rmSync(dataDir, { recursive: true }))

async function store(folder: Folder, text: string, size: number): Promise<Entry> {
  const bytes = someBytes(size, size)
  const entry = entryOf(text, bytes, { uploadedBy: 'alice@example.org' })
  await folder.blobs.write(entry, inChunks(bytes, 65_536), {
    size,
    description: described(),
    signal: undefined,
  })
  await folder.ledger.append(entry, text)
  return entry
}
async function inFolder<T>(use: (folder: Folder) => Promise<T>): Promise<T> {
  const folder = await openFolder(dataDir)
  try {
    return await use(folder)
  } finally {
    await folder.close()
  }
}
async function check() {
  const found: unknown[] = []
  const note = (each: unknown) => void found.push(each)
  const { entries } = await checkFolder(dataDir, {
    ...{ verify: true, signal: new AbortController().signal },
    ...{ onDamage: note, onUnreferenced: note, onLedgerDamage: note },
  })
  return { entries, found }
}
const everyFile = () =>
  readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dataDir, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
    .join('')

describe('erasing a version', () => {
  it.each([10, 20_000])('of %i bytes removes it from every file, and keeps everything else', async (size) => {
    const [first, , last] = await inFolder(async (folder) => [
      await store(folder, 'b/a/first', 100),
      await store(folder, 'b/private/person-4711', size),
      await store(folder, 'b/a/last', 20_001),
    ])
    expect(await eraseVersion(dataDir, parseRef('b/private/person-4711'))).toMatchObject({ size })
    const rest = everyFile()
    expect(rest).not.toContain('person-4711')
    expect(rest).not.toContain(Buffer.from(someBytes(size, size).subarray(0, 10)).toString('latin1'))
    expect(await check()).toEqual({ entries: 2, found: [] })
    await inFolder(async ({ ledger, blobs }) => {
      expect(await ledger.find(parseRef('b/private/person-4711'))).toBeUndefined()
      for (const entry of [first, last]) {
        if (!entry) throw new Error('not stored')
        expect(await ledger.find(entry.ref)).toEqual(entry)
        expect(digestOf(await collect(await blobs.read(entry, undefined, undefined)))).toBe(entry.digest)
      }
    })
  })

  it('in a sealed segment keeps the chain of segments valid', async () => {
    const log = await new LogUnderTest(dataDir).create()
    mkdirSync(join(dataDir, 'blobs'))
    const many = Array.from({ length: 20 }, (_, at) => artifact(`v${at}`))
    const opened = await log.open({ segmentBytes: 800 })
    for (const each of many) await storeAll(opened, [each])
    await opened.close()
    writeFileSync(join(dataDir, 'format'), `bucket-folder 2\n6f0a3f3e-5f0e-4b1c-9d53-0d1f0f6f7a11\n`)
    for (const at of [3, 4, 12]) await eraseVersion(dataDir, parseRef(`b/a/v${at}`))
    expect(await check()).toEqual({ entries: 17, found: [] })
    const again = await log.open({ segmentBytes: 800 })
    await storeAll(again, [artifact('next')])
    expect((await again.ledger.list(parseRef('b/a/v1'), undefined, 100)).entries).toHaveLength(18)
    await again.close()
  })

  it.runIf(process.getuid?.() === 0)('by root leaves its files to the user of the server', async () => {
    await inFolder(async (folder) => void (await store(folder, 'b/a/v', 10)))
    const segment = join(dataDir, 'ledger', '00000001.log')
    chownSync(segment, 65_534, 65_534)
    chmodSync(segment, 0o640)
    await eraseVersion(dataDir, parseRef('b/a/v'))
    const { uid, gid, mode } = statSync(segment)
    expect([uid, gid, mode & 0o777]).toEqual([65_534, 65_534, 0o640])
  })

  it('that does not exist changes nothing, and is refused while a server runs', async () => {
    await inFolder(async (folder) => {
      await store(folder, 'b/a/v', 10)
      await expect(eraseVersion(dataDir, parseRef('b/a/v'))).rejects.toThrow('in use by another process')
    })
    const before = everyFile()
    expect(await eraseVersion(dataDir, parseRef('b/a/other'))).toBeUndefined()
    expect(everyFile()).toBe(before)
  })
})

describe('giving up damaged records', () => {
  it('lets the folder store and list again', async () => {
    await inFolder(async (folder) => {
      for (const version of ['v1', 'v2', 'v3', 'v4']) await store(folder, `b/a/${version}`, 10)
    })
    const path = join(dataDir, 'ledger', '00000001.log')
    const bytes = readFileSync(path)
    bytes.write('XX', bytes.indexOf('b/a/v2'))
    bytes.write('XX', 0)
    writeFileSync(path, bytes)
    expect((await check()).found).toEqual([
      expect.stringContaining('the header of 00000001.log is damaged'),
      expect.stringContaining('the records in them cannot be read'),
    ])
    expect(await discardDamage(dataDir)).toHaveLength(2)
    expect(await check()).toEqual({ entries: 3, found: [] })
    await inFolder(async (folder) => {
      expect((await folder.ledger.list(parseRef('b/a/v1'), undefined, 10)).entries).toHaveLength(3)
      await store(folder, 'b/a/v5', 10)
    })
    expect(await check()).toEqual({ entries: 4, found: [] })
  })
})
