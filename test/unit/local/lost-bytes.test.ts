/**
 * A folder that has lost bytes of stored versions, broken by hand as a disk or an operator may break it: a fetch says so in the log and to
 * the caller, and a store of the same bytes brings them back.
 */
import { execFileSync } from 'node:child_process'
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFullApi } from '../../../lib/http/full-api.ts'
import { backupFolder } from '../../../lib/local/backup.ts'
import { type Folder, openFolder } from '../../../lib/local/folder.ts'
import { checkFolder } from '../../../lib/local/folder-check.ts'
import { digestOf, someBytes } from '../../support/fake-artifacts.ts'
import { folderPorts } from '../../support/folder-ports.ts'
import { webHandler } from '../../support/web-handler.ts'
import { bucket } from '../cli/command-line.ts'

const SMALL = 1_000
const LARGE = 300_000
const URL_OF_V = 'http://bucket.test/v1/buckets/b/artifacts/a/versions/v'

let dataDir: string
let folder: Folder
let lines: { code?: string; error?: string; status: number }[]
let handle: (request: Request) => Promise<Response>

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-lost-'))
  await open()
})
afterEach(async () => {
  await folder.close()
  await rm(dataDir, { recursive: true })
})

async function open(): Promise<void> {
  folder = await openFolder(dataDir)
  lines = []
  const ports = folderPorts(folder)
  const limits = { maxInlineBytes: 1e9, maxArtifactBytes: 1e9, presignedSeconds: 600, clock: Date.now }
  const stores = { ...ports, ...limits }
  handle = webHandler(createFullApi({ stores, log: (line) => lines.push(line) }))
}

/** @param announced whether the size comes with the request: a blob of unknown size is a file. */
async function put(bytes: Uint8Array, announced = true): Promise<Response> {
  const headers = new Headers({ 'X-Artifact-Digest': digestOf(bytes) })
  if (announced) headers.set('Content-Length', String(bytes.byteLength))
  return await handle(new Request(URL_OF_V, { method: 'PUT', body: bytes.slice(), headers }))
}

const blobPath = () => {
  const name = readdirSync(join(dataDir, 'blobs', 'b', 'a')).find((file) => file.startsWith('v@'))
  return join(dataDir, 'blobs', 'b', 'a', name ?? 'none')
}

/** The bytes are right, and they are not the folder's own. */
function linkElsewhere(): void {
  const path = blobPath()
  renameSync(path, join(dataDir, 'elsewhere'))
  symlinkSync(join(dataDir, 'elsewhere'), path)
}
function makePipe(): void {
  const path = blobPath()
  rmSync(path)
  execFileSync('mkfifo', [path])
}

/** A server keeps the records that it wrote last in memory. */
async function restartWith(damage: () => void | Promise<void>): Promise<void> {
  await folder.close()
  await damage()
  await open()
}

const overwrite = async (path: string, bytes: Uint8Array) => {
  await chmod(path, 0o600)
  writeFileSync(path, bytes)
}

/** Flips a byte of a small blob in the ledger. */
function damageRecord(bytes: Uint8Array): void {
  const path = join(dataDir, 'ledger', '00000001.log')
  const log = readFileSync(path)
  const at = log.indexOf(bytes)
  log[at + 10] = (log[at + 10] ?? 0) ^ 1
  writeFileSync(path, log)
}

describe.each([
  ['a missing file', LARGE, true, () => rmSync(blobPath()), 'does not exist'],
  ['a file that was cut short', LARGE, true, () => truncateSync(blobPath(), LARGE - 1), 'has 299999 bytes'],
  ['a missing small file', SMALL, false, () => rmSync(blobPath()), 'does not exist'],
  ['a file that became a symlink', LARGE, true, () => linkElsewhere(), 'is not a regular file'],
  ['a small file that became a symlink', SMALL, false, () => linkElsewhere(), 'is not a regular file'],
  ['a file that became a pipe', LARGE, true, () => makePipe(), 'is not a regular file'],
] as const)('%s', (_, size, announced, damage, reason) => {
  const bytes = someBytes(size)

  it('is a log line with its own code and the cause, and no reason to retry', async () => {
    expect((await put(bytes, announced)).status).toBe(201)
    damage()
    const response = await handle(new Request(URL_OF_V))
    expect([response.status, await response.json()]).toMatchObject([
      500,
      { code: 'blob_lost', retryable: false },
    ])
    expect(response.headers.get('Retry-After')).toBeNull()
    expect(lines.at(-1)).toMatchObject({ code: 'blob_lost', error: expect.stringContaining(reason) })
    expect((await handle(new Request(URL_OF_V, { method: 'HEAD' }))).status).toBe(500)
    await folder.close()
    expect((await bucket(['fsck', '--data-dir', dataDir])).exit).toBe(5)
    await open()
  })

  it('is restored by a store of the same bytes, also after a restart', async () => {
    const entry = await (await put(bytes, announced)).json()
    for (const between of [async () => damage(), () => restartWith(damage)]) {
      await between()
      const restored = await put(bytes, announced)
      expect([restored.status, await restored.json()]).toEqual([200, entry])
      const fetched = await handle(new Request(URL_OF_V))
      expect(digestOf(new Uint8Array(await fetched.arrayBuffer()))).toBe(digestOf(bytes))
      expect((await put(bytes, announced)).status).toBe(409)
    }
    await restartWith(() => undefined)
    expect((await handle(new Request(URL_OF_V))).status).toBe(200)
  })
})

describe('a small blob with wrong bytes', () => {
  const bytes = someBytes(SMALL)

  it.each([
    ['in its file', false, () => overwrite(blobPath(), someBytes(SMALL, 2))],
    ['in its record of the ledger', true, () => damageRecord(bytes)],
  ] as const)('%s is never served, whole or in part', async (_, announced, damage) => {
    await put(bytes, announced)
    await restartWith(damage)
    for (const headers of [{}, { Range: 'bytes=900-999' }]) {
      const response = await handle(new Request(URL_OF_V, { headers }))
      expect([response.status, await response.json()]).toMatchObject([500, { code: 'blob_lost' }])
      expect(lines.at(-1)?.error).toBeDefined()
    }
  })

  it('in its record is restored as a file, which checks and backups know', async () => {
    await put(bytes)
    await restartWith(() => damageRecord(bytes))
    expect((await put(bytes)).status).toBe(200)
    await restartWith(() => undefined)
    const fetched = await handle(new Request(URL_OF_V))
    expect(digestOf(new Uint8Array(await fetched.arrayBuffer()))).toBe(digestOf(bytes))
    await folder.close()
    const copy = `${dataDir}-copy`
    try {
      const { signal } = new AbortController()
      await backupFolder(dataDir, copy, { signal, onLost: (lost) => expect.fail(lost.path) })
      for (const checked of [dataDir, copy])
        expect(await bucket(['fsck', '--verify', '--data-dir', checked])).toMatchObject({
          exit: 0,
          stdout: expect.stringContaining('all of them have their bytes'),
        })
    } finally {
      await rm(copy, { recursive: true, force: true })
      await open()
    }
  })
})

describe('bucket fsck --verify --quarantine', () => {
  const bytes = someBytes(LARGE)
  const fsck = (...options: string[]) => bucket(['fsck', '--data-dir', dataDir, ...options])

  it('moves wrong bytes aside, so that the next store of the right ones restores them', async () => {
    const entry = await (await put(bytes)).json()
    const wrong = someBytes(LARGE, 2)
    await restartWith(() => overwrite(blobPath(), wrong))
    // The size is right, so only reading tells.
    expect((await put(bytes)).status).toBe(409)
    await folder.close()
    const name = `b/a/v@${digestOf(bytes).slice(7)}`
    expect(await fsck('--verify', '--quarantine')).toMatchObject({
      exit: 5,
      stdout: expect.stringContaining(`moved to quarantine/${name}`),
    })
    expect(readFileSync(join(dataDir, 'quarantine', name)).equals(wrong)).toBe(true)
    expect((await fsck('--verify')).stdout).toContain(`missing  b/a/v@${digestOf(bytes)}`)
    await open()
    const restored = await put(bytes)
    expect([restored.status, await restored.json()]).toEqual([200, entry])
    await restartWith(async () => {
      await overwrite(blobPath(), wrong)
      // The first remains stay.
      expect((await fsck('--verify', '--quarantine')).stdout).toContain(`quarantine/${name}~2`)
    })
  })

  it('changes nothing in a folder without damage, and needs --verify', async () => {
    await put(bytes)
    await folder.close()
    expect((await fsck('--verify', '--quarantine')).exit).toBe(0)
    expect(readdirSync(dataDir)).not.toContain('quarantine')
    expect(await fsck('--quarantine')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('Add --verify'),
    })
    await open()
  })
})

describe('bucket fsck --discard-damage', () => {
  it('forgets the records that cannot be read, says which, and lets the server store again', async () => {
    await put(someBytes(SMALL))
    const path = join(dataDir, 'ledger', '00000001.log')
    await restartWith(() => {
      const log = readFileSync(path)
      // A second record after it, so that the damage is not the end of the log.
      log.write('XX', log.indexOf('b/a/v'))
      writeFileSync(path, Buffer.concat([log, Buffer.from('')]))
    })
    await folder.close()
    const before = await bucket(['fsck', '--data-dir', dataDir])
    const ran = await bucket(['fsck', '--discard-damage', '--data-dir', dataDir])
    expect([before.exit, ran.exit]).toEqual([5, 0])
    expect(ran.stdout).toMatch(/^discarded {2}\d+ bytes from byte \d+ of 00000001\.log are damaged/)
    await open()
    expect((await put(someBytes(SMALL, 3))).status).toBe(201)
  })
})

it('a check of a folder on which a server runs is refused', async () => {
  await expect(
    checkFolder(dataDir, {
      verify: true,
      quarantine: true,
      signal: new AbortController().signal,
      onDamage: () => undefined,
      onUnreferenced: () => undefined,
    }),
  ).rejects.toThrow('in use by another process')
})
