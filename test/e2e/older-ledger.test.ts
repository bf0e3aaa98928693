/** An older copy of the ledger next to newer blobs: it is noticed before other bytes can take the reference of a stored version. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readKnownEnd } from '../../lib/local/ledger/known-end.ts'
import { writeSealed } from '../../lib/local/sealed-json.ts'
import { BUCKET } from '../support/program.ts'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

let folder: string
let dataDir: string
let server: ServedFolder | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-older-'))
  dataDir = join(folder, 'data')
})
afterEach(async () => {
  await server?.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function start(): Promise<ServedFolder> {
  server = await serveFolder(dataDir)
  return server
}
async function end(how: 'stop' | 'kill'): Promise<void> {
  await server?.[how]()
  server = undefined
}
const urlOf = (version: string) => `${server?.url}/buckets/b/artifacts/a/versions/${version}`
async function store(version: string, bytes: Buffer): Promise<number> {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const headers = { 'X-Artifact-Digest': digest }
  return (await fetch(urlOf(version), { method: 'PUT', body: bytes, headers })).status
}
/** The limit ends a server that should have been refused. */
function bucket(...args: string[]) {
  const ran = spawnSync(process.execPath, [...BUCKET, ...args], { encoding: 'utf8', timeout: 100_000 })
  return { exit: ran.status, stdout: ran.stdout, stderr: ran.stderr }
}
const serve = () => bucket('serve', '--port', '0', '--data-dir', dataDir)
const onFolder = (command: string, ...args: string[]) => bucket(command, ...args, '--data-dir', dataDir)

const LARGE = Buffer.alloc(100_000, 'large')
const OTHER = Buffer.alloc(100_000, 'other')
const LOG = 'ledger/00000001.log'
const KNOWN_END = 'blobs/.ledger-end'
const storeIdOf = (path: string) => readFileSync(join(path, 'format'), 'latin1').split('\n')[1] ?? ''

const LEDGER = ['ledger', 'index.mdb', 'index.mdb-lock', 'index.proof']

/** v1 is in the older ledger, v2 only in the newer one. */
async function putBackOlder(how: 'stop' | 'kill'): Promise<void> {
  await start()
  await store('v1', LARGE)
  await end('stop')
  const older = join(folder, 'older')
  for (const name of LEDGER) cpSync(join(dataDir, name), join(older, name), { recursive: true })
  await start()
  await store('v2', LARGE)
  await end('stop')
  if (how === 'kill') {
    await start()
    await end('kill')
  }
  for (const name of LEDGER) rmSync(join(dataDir, name), { recursive: true })
  cpSync(older, dataDir, { recursive: true })
}

describe('an older ledger', { timeout: 240_000 }, () => {
  it.each(['stop', 'kill'] as const)(
    'that is put back with its index after a %s is refused, and the tools say what it lacks',
    async (how) => {
      await putBackOlder(how)
      const refused = { exit: 5, stderr: expect.stringContaining('the ledger is older than the folder') }
      expect(serve()).toMatchObject(refused)
      expect(onFolder('ls')).toMatchObject({ ...refused, stdout: expect.stringContaining('b/a/v1@') })
      expect(onFolder('backup', join(folder, 'copy'))).toMatchObject(refused)
      const checked = onFolder('fsck')
      expect(checked.exit).toBe(5)
      expect(checked.stdout).toContain('ledger  the ledger is older than the folder')
      expect(checked.stdout).toContain('unreferenced  blobs/b/a/v2@')
      expect(checked.stdout).not.toContain('.ledger-end')
    },
  )

  it('is taken for the newest one only after its owner says so', async () => {
    await putBackOlder('stop')
    expect(onFolder('fsck', '--discard-damage')).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('discarded  the ledger is older than the folder'),
    })
    await start()
    await expect.poll(() => server?.log()).toContain('"operation":"blobs_without_entry"')
    expect((await fetch(urlOf('v1'))).status).toBe(200)
    expect(await store('v2', LARGE)).toBe(201)
  })

  it('that lost its last stores before a crash starts, and its log names their blobs before a store is taken', async () => {
    await start()
    await store('v1', LARGE)
    // What a power cut leaves if it comes before the end of the log is written down.
    for (const name of [LOG, KNOWN_END]) cpSync(join(dataDir, name), join(folder, 'older', name))
    await store('v2', LARGE)
    await end('kill')
    cpSync(join(folder, 'older'), dataDir, { recursive: true })
    await start()
    const line = () =>
      server
        ?.log()
        .split('\n')
        .find((text) => text.includes('blobs_without_entry'))
    await expect.poll(line).toBeDefined()
    expect(JSON.parse(line() ?? '')).toMatchObject({
      blobs_without_entry: 1,
      message: expect.stringMatching(/^1 blob belongs to versions without an entry, such as b\/a\/v2@/),
    })
    // A store that was cut short leaves such a blob, too, so the version is free.
    expect(await store('v2', OTHER)).toBe(201)
  })

  it('that is copied over a newer folder with everything else starts, and its log names the newer blobs', async () => {
    await start()
    await store('v1', LARGE)
    await end('stop')
    const older = join(folder, 'older')
    cpSync(dataDir, older, { recursive: true })
    const known = readKnownEnd(older, storeIdOf(older))
    await writeSealed(older, KNOWN_END, { ...known, at: '2026-01-01T00:00:00.000Z', isStop: true })
    await start()
    await store('v2', LARGE)
    await end('stop')
    cpSync(older, dataDir, { recursive: true })
    await start()
    await expect.poll(() => server?.log()).toContain('such as b/a/v2@')
  })

  it('is not seen in a folder that was killed, copied as a whole, or restored as a whole', async () => {
    await start()
    await store('v1', LARGE)
    await end('kill')
    cpSync(dataDir, join(folder, 'whole'), { recursive: true })
    await start()
    await store('v2', LARGE)
    await end('stop')
    rmSync(dataDir, { recursive: true })
    cpSync(join(folder, 'whole'), dataDir, { recursive: true })
    const again = await start()
    expect(await store('v2', OTHER)).toBe(201)
    await end('stop')
    expect(again.log()).toContain('"operation":"open_folder"')
    expect(again.log()).not.toContain('blobs_without_entry')
  })
})
