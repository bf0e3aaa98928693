/** An older copy of the ledger next to newer blobs: it is noticed before other bytes can take the reference of a stored version. */
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readKnownEnd } from '../../lib/local/ledger/known-end.ts'
import { writeSealed } from '../../lib/local/sealed-json.ts'
import { FolderUnderTest, LARGE } from './folder-under-test.ts'

let folder: FolderUnderTest
beforeEach(() => {
  folder = new FolderUnderTest()
})
afterEach(() => folder.remove())

const OTHER = Buffer.alloc(100_000, 'other')
const LOG = 'ledger/00000001.log'
const KNOWN_END = 'blobs/.ledger-end'
const storeIdOf = (path: string) => readFileSync(join(path, 'format'), 'latin1').split('\n')[1] ?? ''

const LEDGER = ['ledger', 'index.mdb', 'index.mdb-lock', 'index.proof']

/** v1 is in the older ledger, v2 only in the newer one. */
async function putBackOlder(how: 'stop' | 'kill'): Promise<void> {
  await folder.start()
  await folder.store('v1', LARGE)
  await folder.stop()
  const older = folder.outside('older')
  for (const name of LEDGER) cpSync(folder.path(name), join(older, name), { recursive: true })
  await folder.start()
  await folder.store('v2', LARGE)
  await folder.stop()
  if (how === 'kill') {
    await folder.startProcess()
    await folder.kill()
  }
  for (const name of LEDGER) rmSync(folder.path(name), { recursive: true })
  cpSync(older, folder.dataDir, { recursive: true })
}

describe('an older ledger', { timeout: 240_000 }, () => {
  it.each(['stop', 'kill'] as const)(
    'that is put back with its index after a %s is refused, and the tools say what it lacks',
    async (how) => {
      await putBackOlder(how)
      const refused = { exit: 5, stderr: expect.stringContaining('the ledger is older than the folder') }
      expect(await folder.serve()).toMatchObject(refused)
      expect(await folder.run('ls')).toMatchObject({ ...refused, stdout: expect.stringContaining('b/a/v1@') })
      expect(await folder.run('backup', folder.outside('copy'))).toMatchObject(refused)
      const checked = await folder.run('fsck')
      expect(checked.exit).toBe(5)
      expect(checked.stdout).toContain('ledger  the ledger is older than the folder')
      expect(checked.stdout).toContain('unreferenced  blobs/b/a/v2@')
      expect(checked.stdout).not.toContain('.ledger-end')
    },
  )

  it('is taken for the newest one only after its owner says so', async () => {
    await putBackOlder('stop')
    expect(await folder.run('fsck', '--discard-damage')).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining('discarded  the ledger is older than the folder'),
    })
    await folder.start()
    await expect.poll(() => folder.server.log()).toContain('"operation":"blobs_without_entry"')
    expect((await folder.get('v1')).status).toBe(200)
    expect((await folder.store('v2', LARGE)).status).toBe(201)
  })

  it('that lost its last stores before a crash starts, and its log names their blobs before a store is taken', async () => {
    await folder.startProcess()
    await folder.store('v1', LARGE)
    // What a power cut leaves if it comes before the end of the log is written down.
    for (const name of [LOG, KNOWN_END]) cpSync(folder.path(name), join(folder.outside('older'), name))
    await folder.store('v2', LARGE)
    await folder.kill()
    cpSync(folder.outside('older'), folder.dataDir, { recursive: true })
    await folder.start()
    const line = () =>
      folder.server
        .log()
        .split('\n')
        .find((text) => text.includes('blobs_without_entry'))
    await expect.poll(line).toBeDefined()
    expect(JSON.parse(line() ?? '')).toMatchObject({
      blobs_without_entry: 1,
      message: expect.stringMatching(/^1 blob belongs to versions without an entry, such as b\/a\/v2@/),
    })
    // A store that was cut short leaves such a blob, too, so the version is free.
    expect((await folder.store('v2', OTHER)).status).toBe(201)
  })

  it('that is copied over a newer folder with everything else starts, and its log names the newer blobs', async () => {
    await folder.start()
    await folder.store('v1', LARGE)
    await folder.stop()
    const older = folder.outside('older')
    cpSync(folder.dataDir, older, { recursive: true })
    const known = readKnownEnd(older, storeIdOf(older))
    await writeSealed(older, KNOWN_END, { ...known, at: '2026-01-01T00:00:00.000Z', isStop: true })
    await folder.start()
    await folder.store('v2', LARGE)
    await folder.stop()
    cpSync(older, folder.dataDir, { recursive: true })
    await folder.start()
    await expect.poll(() => folder.server.log()).toContain('such as b/a/v2@')
  })

  it('is not seen in a folder that was killed, copied as a whole, or restored as a whole', async () => {
    await folder.startProcess()
    await folder.store('v1', LARGE)
    await folder.kill()
    cpSync(folder.dataDir, folder.outside('whole'), { recursive: true })
    await folder.start()
    await folder.store('v2', LARGE)
    await folder.stop()
    rmSync(folder.dataDir, { recursive: true })
    cpSync(folder.outside('whole'), folder.dataDir, { recursive: true })
    await folder.start()
    expect((await folder.store('v2', OTHER)).status).toBe(201)
    await folder.stop()
    expect(folder.server.log()).toContain('"operation":"open_folder"')
    expect(folder.server.log()).not.toContain('blobs_without_entry')
  })
})
