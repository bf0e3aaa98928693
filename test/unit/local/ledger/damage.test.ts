/** Damage to the ledger costs no intact artifact, is reported, and never makes a stored version look absent. */
import fs, {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readFrame } from '../../../../lib/local/ledger/record.ts'
import { SEGMENT_HEADER_BYTES, segmentSeed } from '../../../../lib/local/ledger/segment.ts'
import { someBytes } from '../../../support/fake-artifacts.ts'
import { artifact, LogUnderTest, STORE_ID, storeAll } from './log-under-test.ts'

let log: LogUnderTest
beforeEach(async () => {
  log = await new LogUnderTest().create()
})
afterEach(() => log.remove())

const before = artifact('before')
const damaged = artifact('damaged', 25)
const after = artifact('after')
const last = artifact('last')

/** Four groups of one record each; the second is the one to damage. */
async function storeFour(options: { stop: boolean }) {
  const store = async (opened: Awaited<ReturnType<typeof log.open>>) => {
    for (const each of [before, damaged, after, last]) await storeAll(opened, [each])
  }
  if (options.stop) {
    const opened = await log.open()
    await store(opened)
    await opened.close()
  } else await log.inCrash(store)
  const bytes = log.bytes()
  const seed = segmentSeed(STORE_ID, 1)
  const begin =
    SEGMENT_HEADER_BYTES + (readFrame(bytes, 128, bytes.length, seed, SEGMENT_HEADER_BYTES)?.length ?? 0)
  const frame = readFrame(bytes, begin, bytes.length, seed, begin)
  if (!frame) throw new Error('no second record')
  return { bytes, begin, ...frame }
}

describe('a record with a flipped byte, anywhere in it', () => {
  it('is reported with its position, and the records around it are served', { timeout: 60_000 }, async () => {
    const { bytes, begin, length, entryLength } = await storeFour({ stop: false })
    for (let at = begin; at < begin + entryLength; at += 1) {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 0x10
      log.replace(copy)
      const { ledger, report, close } = await log.open()
      expect(report.damage).toEqual([{ file: '00000001.log', offset: begin, length, part: 'record' }])
      for (const { entry } of [before, after, last]) expect(await ledger.find(entry.ref)).toEqual(entry)
      const unavailable = {
        code: 'unavailable',
        retryable: false,
        next: expect.stringContaining('bucket fsck'),
      }
      // The damaged record may be that of any missing version.
      await expect(ledger.find(damaged.entry.ref)).rejects.toMatchObject(unavailable)
      await expect(ledger.append(artifact('new').entry, 'c')).rejects.toMatchObject(unavailable)
      await expect(ledger.list(before.entry.ref, undefined, 10)).rejects.toMatchObject(unavailable)
      await expect(ledger.check()).rejects.toMatchObject(unavailable)
      await close()
      log.forgetIndex()
    }
  })

  it('is still reported after the next restart', async () => {
    const { bytes, begin } = await storeFour({ stop: false })
    log.replace(bytes.fill(0, begin + 20, begin + 30))
    for (let start = 0; start < 3; start += 1) {
      const opened = await log.open()
      expect(opened.report.damage).toHaveLength(1)
      await opened.close()
    }
  })

  it('in its blob costs only the blob, and keeps the entry', async () => {
    const { bytes, begin, entryLength } = await storeFour({ stop: false })
    const at = begin + entryLength + 3
    bytes[at] = (bytes[at] ?? 0) ^ 1
    log.replace(bytes)
    const { ledger, report, close } = await log.open()
    expect(report.damage).toEqual([])
    expect(await ledger.find(damaged.entry.ref)).toEqual(damaged.entry)
    expect(ledger.storedBlob(damaged.entry)).toBe('damaged')
    expect((await ledger.append(artifact('new').entry, 'c')).appended).toBe(true)
    await close()
  })

  it('is unavailable, never absent, if the index knows it', async () => {
    const { bytes, begin } = await storeFour({ stop: true })
    log.replace(bytes.fill(0, begin + 20, begin + 30))
    const { ledger, report, close } = await log.open()
    expect(report.rebuilt).toBeUndefined()
    await expect(ledger.find(damaged.entry.ref)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('b/a/damaged is damaged'),
    })
    await expect(ledger.append(damaged.entry, 'c')).rejects.toMatchObject({ code: 'unavailable' })
    expect(await ledger.find(last.entry.ref)).toEqual(last.entry)
    await close()
  })

  it('in the last group is damage after a clean stop, and is not cut off', async () => {
    const { bytes } = await storeFour({ stop: true })
    const size = bytes.length
    const at = bytes.indexOf('b/a/last')
    bytes[at] = 'B'.charCodeAt(0)
    log.replace(bytes)
    rmSync(join(log.dataDir, 'index.mdb'))
    const { ledger, report, close } = await log.open()
    expect(report).toMatchObject({ tornBytes: 0, damage: [{ part: 'record' }] })
    await expect(ledger.find(last.entry.ref)).rejects.toMatchObject({ code: 'unavailable' })
    await close()
    expect(log.size()).toBe(size)
  })
})

describe('several damaged places', () => {
  it('are reported one by one', async () => {
    const many = Array.from({ length: 40 }, (_, at) => artifact(`v${at}`))
    await log.inCrash(async (opened) => {
      for (const each of many) await storeAll(opened, [each])
    })
    const bytes = log.bytes()
    for (const at of [3, 4, 20]) bytes.write('x', bytes.indexOf(`b/a/v${at}commit`))
    log.replace(bytes)
    const { ledger, report, close } = await log.open()
    // Two damaged records in a row are one place.
    expect(report.damage).toHaveLength(2)
    expect(report.entries).toBe(37)
    for (const [at, { entry }] of many.entries())
      if (![3, 4, 20].includes(at)) expect(await ledger.find(entry.ref)).toEqual(entry)
    await close()
  })
})

describe('a flipped byte in the header of a segment', () => {
  it('is reported, and costs no record', { timeout: 60_000 }, async () => {
    const { bytes } = await storeFour({ stop: false })
    for (let at = 0; at < SEGMENT_HEADER_BYTES; at += 1) {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 1
      log.replace(copy)
      const { ledger, report, close } = await log.open()
      expect(report.damage).toEqual([
        { file: '00000001.log', offset: 0, length: SEGMENT_HEADER_BYTES, part: 'header' },
      ])
      for (const { entry } of [before, damaged, after, last])
        expect(await ledger.find(entry.ref)).toEqual(entry)
      expect((await ledger.append(artifact('new').entry, 'c')).appended).toBe(true)
      await close()
      log.forgetIndex()
    }
  })
})

describe('an index', () => {
  const damages: readonly (readonly [string, (path: string) => void])[] = [
    ['missing', (path) => rmSync(path)],
    ['empty', (path) => truncateSync(path, 0)],
    ['cut short by a page', (path) => truncateSync(path, 4096 * 3)],
    ['random bytes', (path) => writeFileSync(path, someBytes(40_000))],
    ['of a flipped byte', (path) => flip(path, 9000)],
  ]
  function flip(path: string, at: number) {
    const bytes = Buffer.alloc(1)
    const fd = fs.openSync(path, 'r+')
    fs.readSync(fd, bytes, 0, 1, at)
    fs.writeSync(fd, Buffer.from([(bytes[0] ?? 0) ^ 1]), 0, 1, at)
    fs.closeSync(fd)
  }

  it.each(damages)('that is %s is rebuilt from the log', async (_, damage) => {
    await storeFour({ stop: true })
    damage(join(log.dataDir, 'index.mdb'))
    const { ledger, report, close } = await log.open()
    expect(report).toMatchObject({ rebuilt: { records: 4 }, entries: 4, damage: [], tornBytes: 0 })
    for (const { entry } of [before, damaged, after, last])
      expect(await ledger.find(entry.ref)).toEqual(entry)
    await close()
    const again = await log.open()
    expect(again.report.rebuilt).toBeUndefined()
    await again.close()
  })

  it('without its proof, or with a damaged one, is rebuilt', async () => {
    await storeFour({ stop: true })
    const proof = join(log.dataDir, 'index.proof')
    flip(proof, 30)
    const damagedProof = await log.open()
    expect(damagedProof.report.rebuilt).toMatchObject({ records: 4 })
    await damagedProof.close()
    rmSync(proof)
    const noProof = await log.open()
    expect(noProof.report.rebuilt).toMatchObject({ records: 4 })
    await noProof.close()
  })

  it('that a killed server left is rebuilt, and has everything in the log', async () => {
    const opened = await log.open()
    await storeAll(opened, [before])
    await opened.close()
    // The second server stores more, and is killed: its index has no proof.
    const killed = await log.open()
    await storeAll(killed, [damaged, after])
    for (const name of ['index.mdb', 'index.proof'])
      fs.copyFileSync(join(log.dataDir, name), join(log.dataDir, `${name}.killed`))
    await killed.close()
    for (const name of ['index.mdb', 'index.proof'])
      renameSync(join(log.dataDir, `${name}.killed`), join(log.dataDir, name))
    const next = await log.open()
    expect(next.report.entries).toBe(3)
    for (const { entry } of [before, damaged, after]) expect(await next.ledger.find(entry.ref)).toEqual(entry)
    await next.close()
  })
})

describe('an incomplete log', () => {
  it.each([
    ['has no folder', () => rmSync(log.folder, { recursive: true }), 'it has no segments'],
    ['has no segment', () => rmSync(log.path(1)), 'it has no segments'],
    [
      'is older than the stop of its server',
      () => truncateSync(log.path(1), SEGMENT_HEADER_BYTES),
      'the ledger is older than the folder',
    ],
  ])('is refused when it %s, and nothing is made', async (_, damage, message) => {
    await storeFour({ stop: true })
    damage()
    await expect(log.open()).rejects.toThrow(message)
    await expect(log.open()).rejects.toMatchObject({ next: expect.stringContaining('backup') })
    expect(existsSync(log.path(1)) && log.size() > SEGMENT_HEADER_BYTES).toBe(false)
  })

  it('is refused if it belongs to another store', async () => {
    await storeFour({ stop: true })
    await expect(log.open({ storeId: STORE_ID.replace('6', '7') })).rejects.toThrow(
      'belongs to another store',
    )
  })

  it('is refused if a segment in the middle is missing, truncated, or replaced', async () => {
    const many = Array.from({ length: 30 }, (_, at) => artifact(`v${at}`))
    const opened = await log.open({ segmentBytes: 800 })
    for (const each of many) await storeAll(opened, [each])
    await opened.close()
    const second = log.bytes(2)
    chmodSync(log.path(2), 0o600)
    truncateSync(log.path(2), second.length - 1)
    await expect(log.open()).rejects.toThrow(`00000002.log has ${second.length - 1} bytes`)
    rmSync(log.path(2))
    await expect(log.open()).rejects.toThrow('00000002.log is missing')
    log.replace(log.bytes(1), 2)
    await expect(log.open()).rejects.toThrow('00000002.log is segment 1 under another name')
    log.replace(second, 2)
    const whole = await log.open()
    for (const { entry } of many) expect(await whole.ledger.find(entry.ref)).toEqual(entry)
    await whole.close()
  })
})

describe('a sealed segment under a running server', () => {
  const sealed = (number: number) => join(log.folder, `0000000${number}.log`)

  it.each([
    ['removed', (path: string) => rmSync(path)],
    [
      'replaced by a copy',
      (path: string) => {
        copyFileSync(path, `${path}-copy`)
        renameSync(`${path}-copy`, path)
      },
    ],
    [
      'written to',
      (path: string) => {
        chmodSync(path, 0o600)
        const bytes = readFileSync(path)
        writeFileSync(path, bytes.fill(0, 200, 201))
      },
    ],
  ])('that is %s is noticed by the health check, sealed by this process or before', async (_, change) => {
    const options = { segmentBytes: 200 }
    const first = await log.open(options)
    await storeAll(first, [before])
    await storeAll(first, [after])
    await first.close()
    // The first pass seals segment 2 itself.
    for (const number of [2, 1]) {
      const opened = await log.open(options)
      const { ledger, close } = opened
      await storeAll(opened, [artifact(`new-${number}`)])
      await expect(ledger.check()).resolves.toBeUndefined()
      copyFileSync(sealed(number), join(log.dataDir, 'saved'))
      change(sealed(number))
      await expect(ledger.check()).rejects.toMatchObject({
        ...{ code: 'unavailable', retryable: false },
        message: `0000000${number}.log of the ledger was removed or changed by something else`,
        next: expect.stringMatching(/stop the server and run `bucket fsck`/),
      })
      await close()
      rmSync(sealed(number), { force: true })
      copyFileSync(join(log.dataDir, 'saved'), sealed(number))
    }
  })
})
