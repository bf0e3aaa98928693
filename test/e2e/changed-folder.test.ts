/** A folder that changes under a running server: it stores nothing that would be lost, and its operator is told. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
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

describe('a ledger that is lost or changed under a running server', { timeout: 60_000 }, () => {
  const segment = () => folder.path('ledger', '00000001.log')
  it.each([
    ['removed', () => rmSync(folder.path('ledger'), { recursive: true })],
    ['without its last segment', () => rmSync(segment())],
    ['cut short', () => truncateSync(segment(), 100)],
    ['longer', () => appendFileSync(segment(), 'more')],
  ])('(%s) is noticed by the health check, before an upload is sent, and by a stop', async (_, change) => {
    await folder.start()
    expect((await folder.store('v1', 'small')).status).toBe(201)
    expect((await folder.health()).status).toBe(200)
    change()
    expect((await folder.health()).status).toBe(503)
    expect((await folder.store('v2', 'small')).status).toBe(503)
    const begun = await folder.begin('v3', 'multipart')
    expect([begun.status, await begun.json()]).toMatchObject([503, { retryable: false }])
    const stopped = await folder.stop()
    expect([stopped, folder.server.log()]).toEqual([
      1,
      expect.stringMatching(/why: {2}the ledger in .* was removed or changed.*\n {2}next: Run `bucket fsck`/),
    ])
  })

  it('that can no longer be looked at asks for its operator, in health and in stores', async () => {
    await folder.start()
    expect((await folder.store('v1', 'small')).status).toBe(201)
    renameSync(folder.path('ledger'), folder.outside('ledger'))
    // The system refuses to follow a symlink in a circle, as it refuses a folder without permissions.
    symlinkSync('ledger', folder.path('ledger'))
    for (const { status, body } of [await folder.store('v2', 'small'), await folder.store('v3', LARGE)])
      expect([status, JSON.parse(body)]).toMatchObject([503, { code: 'unavailable', retryable: false }])
    const checked = await folder.health()
    expect([checked.status, await checked.json()]).toMatchObject([503, { retryable: false }])
  })
})

describe('the folder of the blobs, changed under a running server', { timeout: 60_000 }, () => {
  const blobs = () => folder.path('blobs')
  it.each([
    ['removed', () => {}],
    ['replaced', () => mkdirSync(blobs())],
  ])('accepts no blob if it was %s under a running server, and health says so', async (_, replace) => {
    await folder.start()
    expect((await folder.store('v1', LARGE)).status).toBe(201)
    renameSync(blobs(), folder.outside('away'))
    replace()
    const { status, body } = await folder.store('v2', LARGE)
    expect([status, JSON.parse(body)]).toMatchObject([503, { retryable: false }])
    expect((await folder.health()).status).toBe(503)
    expect((await folder.store('v3', 'small')).status).toBe(503)
    // The size of a chunked body is not known before its end.
    const chunked = await fetch(folder.urlOf('v4'), {
      ...{ method: 'PUT', duplex: 'half', body: new Blob([LARGE]).stream() },
      headers: { 'X-Artifact-Digest': digestOf(LARGE) },
    })
    expect(chunked.status).toBe(503)
    const stopped = await folder.stop()
    expect([stopped, folder.server.log()]).toEqual([1, expect.stringContaining("blobs isn't the folder")])
    expect(namesIn(blobs())).toEqual([])
    expect(await folder.serve()).toMatchObject({
      exit: 5,
      stderr: expect.stringMatching(/blobs is (missing|empty)/),
    })
  })
})

describe('a folder that is swapped under a running server', { timeout: 60_000 }, () => {
  async function expectRefusal() {
    for (const bytes of ['small', LARGE]) {
      const { status, retryAfter, body } = await folder.store(`after-${bytes.length}`, bytes)
      expect([status, retryAfter], body).toEqual([503, null])
      expect(JSON.parse(body)).toMatchObject({
        retryable: false,
        next: expect.stringMatching(/operator.*restart/),
      })
    }
    for (const mode of ['single', 'multipart']) {
      const begun = await folder.begin(mode, mode)
      expect([begun.status, await begun.json()]).toMatchObject([503, { retryable: false }])
    }
    const refusals = () =>
      (folder.server.log() ?? '')
        .split('\n')
        .filter((line) => line.includes('"operation":"store"') && line.includes('"status":503'))
    await expect.poll(() => refusals().length).toBe(2)
    for (const line of refusals()) expect(line).toContain('"error":')
    expect((await folder.health()).status).toBe(503)
  }

  it.each([
    ['moved away', () => renameSync(folder.dataDir, `${folder.dataDir}-moved`)],
    ['removed', () => rmSync(folder.dataDir, { recursive: true })],
    [
      'replaced by an older copy',
      () => {
        renameSync(folder.dataDir, `${folder.dataDir}-moved`)
        cpSync(folder.outside('backup'), folder.dataDir, { recursive: true })
      },
    ],
    [
      'overwritten, file by file, by an older copy',
      () => {
        for (const name of ['lock', 'ledger']) rmSync(folder.path(name), { recursive: true })
        cpSync(folder.outside('backup'), folder.dataDir, { recursive: true })
      },
    ],
  ])('(%s) accepts no store, and its health says so', async (_, swap) => {
    await folder.start()
    await folder.store('v1', 'small')
    cpSync(folder.dataDir, folder.outside('backup'), { recursive: true })
    await folder.store('v2', 'small')
    swap()
    const names = namesIn(folder.dataDir)
    await expectRefusal()
    const stopped = await folder.stop()
    expect([stopped, folder.server.log()]).toEqual([
      1,
      expect.stringMatching(
        /error: The data folder cannot be used\n {2}why: {2}(.* isn't the folder that this server opened|the ledger in .* was removed)/,
      ),
    ])
    // The stop writes nothing into a folder that is not its own.
    expect(namesIn(folder.dataDir)).toEqual(names)
  })

  it('(mounted over) refuses every store', async (context) => {
    mkdirSync(folder.dataDir)
    await folder.start()
    await folder.store('v1', 'small')
    const mount = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder.dataDir])
    context.skip(mount.status !== 0, 'a file system cannot be mounted here')
    try {
      await expectRefusal()
    } finally {
      execFileSync('umount', [folder.dataDir])
    }
    expect((await folder.store('v2', 'small')).status).toBe(201)
  })

  it('whose lock file was removed admits no second server, and refuses every store', async () => {
    await folder.start()
    await folder.store('v1', 'small')
    rmSync(folder.path('lock'))
    expect(await folder.serve()).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('in use by another process'),
    })
    await expectRefusal()
    const stopped = await folder.stop()
    expect([stopped, folder.server.log()]).toEqual([
      1,
      expect.stringMatching(
        /why: {2}the file .*\/lock was removed or replaced.*\n {2}next: Start the server/,
      ),
    ])
    await folder.start()
    expect((await folder.get('v1')).status).toBe(200)
    expect((await folder.store('v2', 'small')).status).toBe(201)
  })
})

describe('a folder that loses a part while a server runs', { timeout: 60_000 }, () => {
  it('says in its health and at the stop that its format file is gone, and starts once it is back', async () => {
    await folder.start()
    await folder.store('v1', 'small')
    renameSync(folder.path('format'), folder.outside('format'))
    const checked = await folder.health()
    expect([checked.status, await checked.json()]).toMatchObject([
      503,
      { retryable: false, next: expect.stringContaining('restore the file `format`') },
    ])
    const stopped = await folder.stop()
    expect([stopped, folder.server.log()]).toEqual([
      1,
      expect.stringMatching(/why: {2}the file .*\/format was removed.*\n {2}next: Restore that file/),
    ])
    renameSync(folder.outside('format'), folder.path('format'))
    await folder.start()
    expect((await folder.get('v1')).status).toBe(200)
  })

  it('ends a store at once where only the operator can help, and serves the rest', async () => {
    await folder.start()
    expect((await folder.store('v1', LARGE)).status).toBe(201)
    rmSync(folder.path('tmp'), { recursive: true })
    const file = folder.outside('file')
    writeFileSync(file, Buffer.alloc(3_000_000))
    const put = await folder.ask('put', 'b/a/v2', file)
    expect(put).toMatchObject({ exit: 5, stderr: expect.stringMatching(/next: Tell the operator.*disk/) })
    const checked = await folder.health()
    expect([checked.status, checked.headers.get('Retry-After')]).toEqual([503, null])
    expect(await checked.json()).toMatchObject({ retryable: false, next: expect.stringContaining('disk') })
    expect((await folder.get('v1')).status).toBe(200)
    // The lines of all requests before it have arrived.
    await expect.poll(() => folder.server.log()).toContain('"operation":"fetch"')
    expect(folder.server.log().match(/"operation":"store".*"status":503/g)).toHaveLength(1)
  })

  it('makes a folder of the blobs again that was removed', async () => {
    await folder.start()
    expect((await folder.store('v1', LARGE)).status).toBe(201)
    rmSync(folder.path('blobs', 'b'), { recursive: true })
    expect((await folder.store('v2', LARGE)).status).toBe(201)
  })
})

describe('the store of unfinished uploads, lost under a running server', { timeout: 60_000 }, () => {
  const PART = Buffer.alloc(1000, 'part')
  const digest = createHash('sha256').update(PART).digest('hex')
  const uploadOf = (version: string) => `${folder.urlOf(version)}/uploads/sha256:${digest}`
  interface Presigned {
    readonly parts: [{ readonly request: { readonly url: string; readonly headers: Record<string, string> } }]
  }
  const call = async (method: string, url: string, body: object) => {
    const response = await fetch(url, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as Presigned }
  }
  const begin = (version: string) =>
    call('PUT', uploadOf(version), { size: PART.byteLength, mode: 'multipart' })

  it.each([
    ['staging', 'removed', 'the staging area'],
    ['staging', 'replaced', 'the staging area'],
    ['uploads.mdb', 'removed', 'the uploads table'],
    ['uploads.mdb', 'replaced', 'the uploads table'],
  ])('(%s, %s) accepts no part, and health names it', async (name, change, named) => {
    await folder.start()
    expect((await begin('v1')).status).toBe(201)
    const presigned = await call('POST', `${uploadOf('v1')}/parts`, {
      parts: [{ number: 1, sha256: digest }],
    })
    const { url, headers } = presigned.body.parts[0].request
    const { 'content-length': _, ...others } = headers
    const send = async () => (await fetch(url, { method: 'PUT', headers: others, body: PART })).status
    const [path, away] = [folder.path(name), folder.outside('away')]
    renameSync(path, away)
    if (change === 'replaced') cpSync(away, path, { recursive: true })

    const checked = await folder.health()
    expect([checked.status, await checked.json()]).toMatchObject([
      503,
      {
        retryable: false,
        detail: expect.stringContaining(named),
        next: expect.stringContaining('restart the server'),
      },
    ])
    expect(await send()).toBe(404)
    expect(await begin('v2')).toMatchObject({ status: 503, body: { retryable: false } })
    expect(await begin('v1')).toMatchObject({ status: 503, body: { retryable: false } })
    expect((await folder.store('v3', LARGE)).status).toBe(201)

    rmSync(path, { recursive: true, force: true })
    renameSync(away, path)
    expect((await folder.health()).status).toBe(200)
    expect(await send()).toBe(200)
    expect((await begin('v2')).status).toBe(201)
  })
})
