/** The way back: a backup next to a running server, its restore, and what the owner of a folder can list and erase. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ServedHere, serveHere } from '../support/served-here.ts'
import { bucket as run } from '../unit/cli/command-line.ts'

let folder: string
let dataDir: string
let copy: string
let server: ServedHere | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-backup-'))
  dataDir = join(folder, 'data')
  copy = join(folder, 'copy')
})
afterEach(async () => {
  await server?.stop()
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const url = (version: string) => `${server?.url}/buckets/b/artifacts/a/versions/${version}`
async function store(version: string, size: number) {
  const bytes = randomBytes(size)
  const response = await fetch(url(version), {
    method: 'PUT',
    body: bytes,
    headers: { 'X-Artifact-Digest': digestOf(bytes) },
  })
  expect(response.status).toBe(201)
  return digestOf(bytes)
}
function blobPath(version: string): string {
  const blobs = join(dataDir, 'blobs', 'b', 'a')
  return join(blobs, readdirSync(blobs).find((name) => name.startsWith(`${version}@`)) ?? 'none')
}
/** Makes a record of a segment unreadable. */
function damage(log: string, ref: string) {
  const bytes = readFileSync(log)
  bytes.write('X', bytes.indexOf(ref))
  writeFileSync(log, bytes)
}
const bucket = (...args: string[]) => run(args)

describe('a backup', { timeout: 240_000 }, () => {
  it('of a running server is a complete folder, and the next one copies only new data', async () => {
    server = await serveHere(dataDir)
    const stored = new Map<string, string>()
    for (const [version, size] of [
      ['small', 100],
      ['large', 100_000],
    ] as const)
      stored.set(version, await store(version, size))
    let isRunning = true
    const writer = (async () => {
      for (let at = 0; isRunning; at += 1)
        stored.set(`w${at}`, await store(`w${at}`, at % 2 === 0 ? 50 : 30_000))
    })()
    expect(await bucket('backup', copy, '--data-dir', dataDir)).toMatchObject({ exit: 0 })
    const checked = await bucket('fsck', '--data-dir', copy, '--verify', '--json')
    expect(JSON.parse(checked.stdout)).toMatchObject({ damaged: { count: 0 } })
    isRunning = false
    await writer
    const before = JSON.parse(checked.stdout).entries
    const again = await bucket('backup', copy, '--data-dir', dataDir, '--json')
    const report = JSON.parse(again.stdout)
    expect(report.entries).toBe(stored.size)
    expect(report.copiedBlobs).toBeLessThanOrEqual(stored.size - before)
    expect(JSON.parse((await bucket('backup', copy, '--data-dir', dataDir, '--json')).stdout)).toMatchObject({
      copiedBlobs: 0,
      copiedBytes: 0,
    })
    await server.stop()

    const restored = join(folder, 'restored')
    expect(await bucket('restore', copy, '--data-dir', restored)).toMatchObject({ exit: 0 })
    server = await serveHere(restored)
    for (const [version, digest] of stored) {
      const response = await fetch(url(version))
      expect(digestOf(new Uint8Array(await response.arrayBuffer())), version).toBe(digest)
    }
  })

  it('of a folder with lost blobs saves everything else, names them, and a check of the copy names the same', async () => {
    server = await serveHere(dataDir)
    for (const version of ['whole', 'missing', 'short', 'wrong', 'linked']) await store(version, 30_000)
    const wrong = blobPath('wrong')
    chmodSync(wrong, 0o600)
    writeFileSync(wrong, randomBytes(30_000))
    truncateSync(blobPath('short'), 10)
    rmSync(blobPath('missing'))
    const linked = blobPath('linked')
    renameSync(linked, join(folder, 'elsewhere'))
    symlinkSync(join(folder, 'elsewhere'), linked)
    const ran = await bucket('backup', copy, '--data-dir', dataDir, '--json')
    expect(ran.exit).toBe(5)
    const { entries, damaged } = JSON.parse(ran.stdout)
    expect([entries, damaged.count]).toEqual([5, 4])
    const namesOf = (found: { entry: { version: string } }[]) => found.map(({ entry }) => entry.version)
    expect(namesOf(damaged.entries)).toEqual(['missing', 'short', 'wrong', 'linked'])
    const checked = await bucket('fsck', '--data-dir', copy, '--verify', '--json')
    expect(checked.exit).toBe(5)
    expect(namesOf(JSON.parse(checked.stdout).damaged.entries)).toEqual(namesOf(damaged.entries))
    expect((await bucket('backup', copy, '--data-dir', dataDir)).stdout).toMatch(
      /^missing {2}b\/a\/missing@.*\nwrong size {2}b\/a\/short@/,
    )
  })

  it('whose copy has the bytes that the folder has lost since keeps them, and says so', async () => {
    server = await serveHere(dataDir)
    const digest = await store('v1', 30_000)
    await bucket('backup', copy, '--data-dir', dataDir)
    rmSync(blobPath('v1'))
    expect(await bucket('backup', copy, '--data-dir', dataDir)).toMatchObject({
      exit: 5,
      stdout: expect.stringContaining(`the copy has it  missing  b/a/v1@${digest}`),
    })
    expect((await bucket('fsck', '--data-dir', copy, '--verify')).exit).toBe(0)
  })

  it('that was cut short before its end is distinguished from a damaged folder', async () => {
    server = await serveHere(dataDir)
    await store('v1', 30_000)
    await bucket('backup', copy, '--data-dir', dataDir)
    for (const name of ['format', 'secret']) rmSync(join(copy, name))
    expect((await bucket('fsck', '--data-dir', copy)).stderr).toContain('run the same `bucket backup` again')
    expect((await bucket('backup', copy, '--data-dir', dataDir)).exit).toBe(0)
    expect((await bucket('fsck', '--data-dir', copy)).exit).toBe(0)
  })

  it('ends with a refusal where no folder can be made', async () => {
    server = await serveHere(dataDir)
    await store('v1', 30_000)
    const [pipe, file] = [join(folder, 'pipe'), join(folder, 'file')]
    execFileSync('mkfifo', [pipe])
    writeFileSync(file, '')
    for (const [target, reason] of [
      ['/proc/x', 'No such file or folder'],
      ['/proc/x/y', 'No such file or folder'],
      [pipe, 'is not a folder'],
      [file, 'is not a folder'],
      [join(file, 'x'), 'Part of this path is a file'],
      [join(dataDir, 'copy'), 'lie within one another'],
      [dataDir, 'is the folder that is to be copied'],
    ] as const) {
      const ran = await bucket('backup', target, '--data-dir', dataDir)
      expect(ran.exit, target).not.toBe(0)
      expect(ran.stderr, target).toContain(reason)
    }
    expect(readdirSync(dataDir)).not.toContain('copy')
  })

  it('to a disk that is full says so, and continues once there is room', async (context) => {
    server = await serveHere(dataDir)
    for (const version of ['v1', 'v2', 'v3']) await store(version, 1_500_000)
    mkdirSync(copy)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', copy])
    context.skip(mounted.status !== 0, 'a file system cannot be mounted here')
    try {
      expect(await bucket('backup', copy, '--data-dir', dataDir)).toMatchObject({
        exit: 1,
        stderr: expect.stringContaining(`the copy in ${copy} is not complete: the disk of ${copy} is full\n`),
      })
      execFileSync('mount', ['-o', 'remount,size=40m', copy])
      expect((await bucket('backup', copy, '--data-dir', dataDir)).exit).toBe(0)
      expect((await bucket('fsck', '--data-dir', copy, '--verify')).exit).toBe(0)
    } finally {
      execFileSync('umount', [copy])
    }
  })

  it('never takes entries away from a copy, nor a restore from a folder', async () => {
    server = await serveHere(dataDir)
    await store('v1', 100)
    await bucket('backup', copy, '--data-dir', dataDir)
    await store('later', 100)
    await server.stop()
    const refused = await bucket('restore', copy, '--data-dir', dataDir)
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('is longer than in') })
    expect((await bucket('ls', '--data-dir', dataDir)).stdout).toContain('b/a/later@')

    server = await serveHere(copy)
    await store('other', 100)
    await server.stop()
    expect((await bucket('backup', copy, '--data-dir', dataDir)).stderr).toContain('differs from that in')
    expect((await bucket('ls', '--data-dir', copy)).stdout).toContain('b/a/other@')
  })

  it('into a copy that is damaged says so, and does not suspect the folder', async () => {
    server = await serveHere(dataDir)
    for (const version of ['v1', 'v2']) await store(version, 100)
    await bucket('backup', copy, '--data-dir', dataDir)
    const log = join(copy, 'ledger', '00000001.log')
    const bytes = readFileSync(log)
    bytes.write('X', bytes.indexOf('b/a/v1'))
    writeFileSync(log, bytes)
    const refused = await bucket('backup', copy, '--data-dir', dataDir)
    expect(refused).toMatchObject({
      exit: 5,
      stderr: expect.stringMatching(
        /the ledger of the copy in .* is damaged: .* bytes from byte 128 of 00000001.log/,
      ),
    })
    expect(readFileSync(log)).toEqual(bytes)
  })

  it('into a copy with a damaged small blob says that either may be damaged, and how to find out', async () => {
    server = await serveHere(dataDir)
    await store('v1', 100)
    const blob = Buffer.from(await (await fetch(url('v1'))).arrayBuffer())
    await bucket('backup', copy, '--data-dir', dataDir)
    const log = join(copy, 'ledger', '00000001.log')
    const bytes = readFileSync(log)
    bytes.writeUInt8((blob[50] ?? 0) ^ 1, bytes.indexOf(blob) + 50)
    writeFileSync(log, bytes)
    const refused = await bucket('backup', copy, '--data-dir', dataDir)
    expect(refused.exit).toBe(1)
    expect(refused.stderr).toContain('differs from that in')
    expect(refused.stderr).toContain('one of the two folders is damaged')
    for (const each of [dataDir, copy]) expect(refused.stderr).toContain(`\`bucket fsck --data-dir ${each}\``)
    expect((await bucket('fsck', '--data-dir', copy)).stdout).toContain('wrong digest  b/a/v1@')
  })

  it.each([
    ['a segment that was cut', () => truncateSync(join(copy, 'ledger', '00000001.log'), 200)],
    ['no segment', () => rmSync(join(copy, 'ledger', '00000001.log'))],
    ['a damaged record', () => damage(join(copy, 'ledger', '00000001.log'), 'b/a/v1')],
    ['no format file', () => rmSync(join(copy, 'format'))],
  ])('with %s is refused by a restore, which blames the backup and makes nothing', async (_, lose) => {
    server = await serveHere(dataDir)
    for (const version of ['v1', 'v2']) await store(version, 100)
    await bucket('backup', copy, '--data-dir', dataDir)
    lose()
    const restored = join(folder, 'restored')
    expect(await bucket('restore', copy, '--data-dir', restored)).toMatchObject({
      exit: 5,
      stderr: expect.stringMatching(
        /^error: This backup is damaged\n {2}why: .*\n {2}next: Nothing was copied\. Try an older backup\./,
      ),
    })
    expect(existsSync(restored)).toBe(false)
  })

  it.each([
    ['that the copy has', 'b/a/v1'],
    ['that is new', 'b/a/v2'],
  ])('of a folder with a damaged record %s is refused, and the copy is unchanged', async (_, ref) => {
    server = await serveHere(dataDir)
    await store('v1', 100)
    await bucket('backup', copy, '--data-dir', dataDir)
    await store('v2', 100)
    await store('v3', 100)
    await server.stop()
    const log = join(dataDir, 'ledger', '00000001.log')
    const bytes = readFileSync(log)
    bytes.write('X', bytes.indexOf(ref))
    writeFileSync(log, bytes)
    const before = readFileSync(join(copy, 'ledger', '00000001.log'))
    const refused = await bucket('backup', copy, '--data-dir', dataDir)
    expect(refused.exit).toBe(5)
    expect(refused.stderr).toMatch(/the ledger in .* is damaged: \d+ bytes from byte \d+/)
    expect(readFileSync(join(copy, 'ledger', '00000001.log'))).toEqual(before)
    expect((await bucket('fsck', '--data-dir', copy, '--verify')).exit).toBe(0)
  })

  it('is refused into a folder with other content, or of another store', async () => {
    server = await serveHere(dataDir)
    mkdirSync(copy)
    writeFileSync(join(copy, 'thesis.txt'), 'years of work')
    expect(await bucket('backup', copy, '--data-dir', dataDir)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('"thesis.txt"'),
    })
    const other = join(folder, 'other')
    await (await serveHere(other)).stop()
    expect((await bucket('backup', other, '--data-dir', dataDir)).stderr).toContain('copy of this store')
  })
})

describe('the owner of a folder', { timeout: 60_000 }, () => {
  it('lists its content next to a running server, and erases a version after a stop', async () => {
    server = await serveHere(dataDir)
    const digests = [await store('v1', 10), await store('v2', 30_000)]
    const listed = await bucket('ls', '--data-dir', dataDir)
    expect(listed.stdout).toBe(`b/a/v1@${digests[0]}  10 B\nb/a/v2@${digests[1]}  29.3 KiB\n`)
    const lines = (await bucket('ls', '--data-dir', dataDir, '--json')).stdout.trim().split('\n')
    expect(lines.map((line) => JSON.parse(line).digest)).toEqual(digests)
    expect((await bucket('erase', 'b/a/v1', '--data-dir', dataDir)).stderr).toContain(
      'in use by another process',
    )
    await server.stop()
    expect((await bucket('erase', 'b/a/v1', '--data-dir', dataDir)).stdout).toBe(
      `erased b/a/v1@${digests[0]}\n`,
    )
    expect((await bucket('erase', 'b/a/v1', '--data-dir', dataDir)).exit).toBe(3)
    expect((await bucket('ls', '--data-dir', dataDir)).stdout).toBe(`b/a/v2@${digests[1]}  29.3 KiB\n`)
  })

  it('can check a folder on a read-only medium', async (context) => {
    server = await serveHere(dataDir)
    await store('v1', 30_000)
    await server.stop()
    const medium = join(folder, 'medium')
    mkdirSync(medium)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', medium])
    context.skip(mounted.status !== 0, 'a file system cannot be mounted here')
    try {
      cpSync(dataDir, join(medium, 'data'), { recursive: true })
      execFileSync('mount', ['-o', 'remount,ro', medium])
      expect(await bucket('fsck', '--data-dir', join(medium, 'data'), '--verify')).toMatchObject({
        exit: 0,
        stdout: expect.stringContaining('all of them have their bytes'),
      })
    } finally {
      execFileSync('umount', [medium])
    }
  })
})
