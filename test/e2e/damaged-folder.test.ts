/** A folder that was damaged, or has lost a part, while no server ran: no artifact is lost or replaced silently, and the owner is told. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf, FolderUnderTest, LARGE, namesIn } from './folder-under-test.ts'

let folder: FolderUnderTest
beforeEach(() => {
  folder = new FolderUnderTest()
})
afterEach(() => folder.remove())

describe('a folder whose ledger is lost', { timeout: 180_000 }, () => {
  it.each([
    ['removed', () => rmSync(folder.path('ledger'), { recursive: true })],
    ['emptied', () => truncateSync(folder.path('ledger', '00000001.log'), 0)],
    ['without a segment', () => rmSync(folder.path('ledger', '00000001.log'))],
  ])('(%s) is refused by the server and by fsck, and nothing is made in it', async (_, lose) => {
    await folder.start()
    await folder.store('v1', 'small')
    await folder.store('v2', LARGE)
    await folder.stop()
    lose()
    const names = readdirSync(folder.dataDir, { recursive: true }).length
    const [served, checked] = [await folder.serve(), await folder.fsck()]
    expect([served.exit, checked.exit]).toEqual([5, 5])
    expect(served.stderr).toMatch(/^error: The data folder is damaged\n {2}why: .*\n {2}next: .*backup/)
    expect(checked.stdout + checked.stderr).toMatch(/the ledger (in .* is not complete|is older)/)
    expect(readdirSync(folder.dataDir, { recursive: true })).toHaveLength(names)
  })

  it('is refused even without its format file, because it is not new', async () => {
    await folder.start()
    await folder.store('v1', 'small')
    await folder.stop()
    rmSync(folder.path('format'))
    expect(await folder.serve()).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(/`bucket restore` .* cut short, repeat .*restore its "format" file/),
    })
    for (const name of ['ledger', 'secret', 'index.mdb', 'index.proof'])
      rmSync(folder.path(name), { recursive: true })
    expect((await folder.serve()).exit).toBe(2)
  })

  it('is refused with an older copy of the ledger', async () => {
    await folder.start()
    await folder.store('v1', 'one')
    await folder.stop()
    cpSync(folder.path('ledger'), folder.outside('older'), { recursive: true })
    await folder.start()
    await folder.store('v2', 'two')
    await folder.stop()
    rmSync(folder.path('ledger'), { recursive: true })
    cpSync(folder.outside('older'), folder.path('ledger'), { recursive: true })
    expect(await folder.serve()).toMatchObject({
      exit: 5,
      stderr: expect.stringContaining('the ledger is older'),
    })
  })
})

describe('damaged LMDB files', { timeout: 60_000 }, () => {
  const damages: readonly (readonly [string, (path: string) => void])[] = [
    ['empty', (path) => truncateSync(path, 0)],
    ['cut short', (path) => truncateSync(path, 9000)],
    [
      'random',
      (path) => writeFileSync(path, createHash('sha512').update('x').digest().toString('hex').repeat(400)),
    ],
    [
      'zeroed in the middle',
      (path) => {
        const bytes = execFileSync('cat', [path])
        writeFileSync(path, bytes.fill(0, 8192))
      },
    ],
  ]
  it.each(damages)(
    'that are %s cost unfinished uploads and the index, never a version',
    async (_, damage) => {
      await folder.start()
      await folder.store('v1', 'small')
      await folder.stop()
      damage(folder.path('index.mdb'))
      damage(folder.path('uploads.mdb'))
      await folder.start()
      expect(await (await folder.get('v1')).text()).toBe('small')
      expect((await folder.store('v1', 'other')).status).toBe(409)
      await folder.stop()
      expect(
        readdirSync(folder.dataDir).filter((name) => name.startsWith('uploads.mdb.damaged-')),
      ).toHaveLength(1)
      expect((await folder.fsck()).exit).toBe(0)
    },
  )
})

describe('a ledger that is damaged while no server runs', { timeout: 180_000 }, () => {
  const log = () => folder.path('ledger', '00000001.log')
  /** Writes over bytes of the log, as a failing disk does. */
  function overwrite(found: string): void {
    const bytes = readFileSync(log())
    const at = bytes.indexOf(found)
    expect(at).toBeGreaterThan(0)
    bytes.fill('X', at, at + found.length)
    chmodSync(log(), 0o600)
    writeFileSync(log(), bytes)
  }

  it('is reported after a clean stop, too, and an answer that needs the record asks for no retry', async () => {
    await folder.start()
    for (const version of ['v1', 'v2', 'v3']) await folder.store(version, `bytes of ${version}`)
    await folder.stop()
    overwrite('b/a/v2')
    overwrite('bytes of v3')
    await folder.start()
    await expect.poll(async () => (await folder.health()).status, { timeout: 30_000 }).toBe(503)
    await expect
      .poll(() => folder.server.log())
      .toMatch(/"operation":"ledger_damage".*"\d+ bytes from byte \d+ of 00000001.log are damaged/)
    await expect.poll(() => folder.server.log()).toContain('the bytes of b/a/v3 in 00000001.log are damaged')
    for (const response of [
      await folder.get('v2'),
      await fetch(`${folder.server.url}/buckets/b/artifacts/a/versions`),
    ]) {
      expect([response.status, response.headers.get('Retry-After')]).toEqual([503, null])
      expect(await response.json()).toMatchObject({
        code: 'unavailable',
        retryable: false,
        detail: expect.stringContaining('the record of b/a/v2 is damaged'),
        next: expect.stringContaining('bucket fsck'),
      })
    }
    expect(await folder.ask('list', 'b/a')).toMatchObject({
      exit: 5,
      stderr: expect.stringContaining('bucket fsck'),
    })
    expect(await (await folder.get('v1')).text()).toBe('bytes of v1')
    // The index knows every reference, so a new one is free.
    expect((await folder.store('v4', 'new')).status).toBe(201)
    expect(await folder.run('ls')).toMatchObject({
      exit: 5,
      stdout: expect.stringMatching(/^b\/a\/v1@.*\nb\/a\/v3@.*\nb\/a\/v4@/),
      stderr: expect.stringContaining('00000001.log are damaged'),
    })
  })
})

describe('a blob that is lost', { timeout: 180_000 }, () => {
  it('is restored by `bucket put`, which says so', async () => {
    await folder.start()
    for (const size of [100_000, 3_000_000]) {
      const [ref, file] = [`b/a/v${size}`, folder.outside(`${size}`)]
      writeFileSync(file, Buffer.alloc(size, 'x'))
      const put = () => folder.ask('put', ref, file, '--json')
      expect(JSON.parse((await put()).stdout)).toMatchObject({ created: true, restored: false })
      expect(JSON.parse((await put()).stdout)).toMatchObject({ created: false, restored: false })
      rmSync(folder.path('blobs', 'b', 'a'), { recursive: true })
      const restored = await put()
      expect(JSON.parse(restored.stdout)).toMatchObject({ created: false, restored: true })
      expect(restored.stderr).toContain('restored: it was stored before, and the server had lost its bytes')
      expect((await folder.get(`v${size}`)).status).toBe(200)
    }
  })
})

describe('the folder of the blobs', { timeout: 60_000 }, () => {
  const blobs = () => folder.path('blobs')

  it('is missed at start, once anything is stored', async () => {
    await folder.start()
    expect((await folder.store('v1', 'small')).status).toBe(201)
    await folder.stop()
    rmSync(folder.path('blobs'), { recursive: true })
    const refused = await folder.serve()
    expect(refused.exit).toBe(5)
    expect(refused.stderr).toContain('blobs is missing: it holds the bytes of every artifact above 16 KiB')
    expect(existsSync(folder.path('blobs'))).toBe(false)
  })

  it('is missed at start if it is empty although it held blobs, until its owner accepts the loss', async () => {
    await folder.start()
    expect((await folder.store('small', 'small')).status).toBe(201)
    expect((await folder.store('large', LARGE)).status).toBe(201)
    await folder.stop()
    renameSync(blobs(), folder.outside('away'))
    mkdirSync(blobs())
    for (const ran of [await folder.serve(), await folder.fsck()]) {
      expect(ran.exit).toBe(5)
      expect(ran.stdout + ran.stderr).toMatch(
        /blobs is empty: it holds the bytes of every artifact above 16 KiB/,
      )
    }
    expect(namesIn(blobs())).toEqual([])
    // Back in its place, it is the one.
    rmSync(blobs(), { recursive: true })
    renameSync(folder.outside('away'), blobs())
    await folder.start()
    expect((await folder.get('large')).status).toBe(200)
    await folder.stop()
    rmSync(blobs(), { recursive: true })
    expect(await folder.run('fsck', '--discard-damage')).toMatchObject({
      exit: 5,
      stdout: expect.stringMatching(/^discarded {2}the folder .*blobs is missing.*\nmissing {2}b\/a\/large@/),
    })
    await folder.start()
    expect([(await folder.get('small')).status, (await folder.get('large')).status]).toEqual([200, 500])
    expect((await folder.store('large', 'other')).status).toBe(409)
    expect((await folder.store('large', LARGE)).status).toBe(200)
    expect((await folder.get('large')).status).toBe(200)
  })

  it.each(['stop', 'kill'] as const)(
    'that lost a folder in it is told after a %s, and the rest is served',
    async (how) => {
      await folder.startProcess()
      for (const version of ['v1', 'v2']) expect((await folder.store(version, LARGE)).status).toBe(201)
      expect((await folder.store('small', 'small')).status).toBe(201)
      await folder[how]()
      await folder.startProcess()
      const { url } = folder.server
      const other = `${url}/buckets/c/artifacts/a/versions/v`
      const bytes = { method: 'PUT', body: LARGE, headers: { 'X-Artifact-Digest': digestOf(LARGE) } }
      expect((await fetch(other, bytes)).status).toBe(201)
      await folder[how]()
      rmSync(folder.path('blobs', 'b'), { recursive: true })
      await folder.start()
      await expect
        .poll(() => folder.server.log())
        .toMatch(
          /"operation":"lost_blobs".*"message":"2 of 3 blobs above 16 KiB are missing or cut short, such as b\/a\/v1, b\/a\/v2: .*"lost_blobs":2/,
        )
      expect((await folder.health()).status).toBe(200)
      expect((await folder.get('v1')).status).toBe(500)
    },
  )

  it('may be empty while it holds no blob, and may have lost the end of the ledger', async () => {
    await folder.start()
    expect((await folder.store('v1', 'small')).status).toBe(201)
    await folder.stop()
    rmSync(folder.path('blobs', '.ledger-end'))
    await folder.start()
    expect((await folder.store('v2', LARGE)).status).toBe(201)
    await folder.stop()
    // As a copy of `blobs/*` leaves it.
    rmSync(folder.path('blobs', '.ledger-end'))
    await folder.start()
    expect((await folder.get('v2')).status).toBe(200)
  })
})
