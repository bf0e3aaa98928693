/** A folder that changes under the server, or is damaged: no artifact is lost or replaced silently, and the operator is informed. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
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
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BUCKET } from '../support/program.ts'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

let folder: string
let dataDir: string
let server: ServedFolder | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-mishap-'))
  dataDir = join(folder, 'data')
})
afterEach(async () => {
  await server?.kill()
  server = undefined
  rmSync(folder, { recursive: true, force: true })
})

async function start() {
  server = await serveFolder(dataDir)
  return server
}
async function stop() {
  await server?.stop()
  server = undefined
}
async function store(version: string, text: string | Uint8Array) {
  const response = await fetch(`${server?.url}/buckets/b/artifacts/a/versions/${version}`, {
    method: 'PUT',
    body: Buffer.from(text),
    headers: { 'X-Artifact-Digest': `sha256:${createHash('sha256').update(text).digest('hex')}` },
  })
  const { status, headers } = response
  return { status, retryAfter: headers.get('Retry-After'), body: await response.text() }
}
const get = (version: string) => fetch(`${server?.url}/buckets/b/artifacts/a/versions/${version}`)
const health = async () => (await fetch(`${server?.url}/health`)).status

function bucket(...args: string[]) {
  const ran = spawnSync(process.execPath, [...BUCKET, ...args], { encoding: 'utf8' })
  return { exit: ran.status, stdout: ran.stdout, stderr: ran.stderr }
}
const fsck = () => bucket('fsck', '--data-dir', dataDir)
const serve = () => bucket('serve', '--port', '0', '--data-dir', dataDir)

const namesIn = (path: string) => (existsSync(path) ? readdirSync(path).sort() : [])

const LARGE = Buffer.alloc(100_000, 'large')
const DIGEST_OF_LARGE = `sha256:${createHash('sha256').update(LARGE).digest('hex')}`

describe('a folder whose ledger is lost', { timeout: 180_000 }, () => {
  it.each([
    ['removed', () => rmSync(join(dataDir, 'ledger'), { recursive: true })],
    ['emptied', () => truncateSync(join(dataDir, 'ledger', '00000001.log'), 0)],
    ['without a segment', () => rmSync(join(dataDir, 'ledger', '00000001.log'))],
  ])('(%s) is refused by the server and by fsck, and nothing is made in it', async (_, lose) => {
    await start()
    await store('v1', 'small')
    await store('v2', LARGE)
    await stop()
    lose()
    const names = readdirSync(dataDir, { recursive: true }).length
    const [served, checked] = [serve(), fsck()]
    expect([served.exit, checked.exit]).toEqual([5, 5])
    expect(served.stderr).toMatch(/^error: The data folder is damaged\n {2}why: .*\n {2}next: .*backup/)
    expect(checked.stdout + checked.stderr).toMatch(/the ledger (in .* is not complete|is older)/)
    expect(readdirSync(dataDir, { recursive: true })).toHaveLength(names)
  })

  it('is refused even without its format file, because it is not new', async () => {
    await start()
    await store('v1', 'small')
    await stop()
    rmSync(join(dataDir, 'format'))
    expect(serve()).toMatchObject({ exit: 2, stderr: expect.stringContaining('restore its "format" file') })
    for (const name of ['ledger', 'secret', 'index.mdb', 'index.proof'])
      rmSync(join(dataDir, name), { recursive: true })
    expect(serve().exit).toBe(2)
  })

  it('is refused with an older copy of the ledger', async () => {
    await start()
    await store('v1', 'one')
    await stop()
    cpSync(join(dataDir, 'ledger'), join(folder, 'older'), { recursive: true })
    await start()
    await store('v2', 'two')
    await stop()
    rmSync(join(dataDir, 'ledger'), { recursive: true })
    cpSync(join(folder, 'older'), join(dataDir, 'ledger'), { recursive: true })
    expect(serve()).toMatchObject({ exit: 5, stderr: expect.stringContaining('the ledger is older') })
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
      await start()
      await store('v1', 'small')
      await stop()
      damage(join(dataDir, 'index.mdb'))
      damage(join(dataDir, 'uploads.mdb'))
      await start()
      expect(await (await get('v1')).text()).toBe('small')
      expect((await store('v1', 'other')).status).toBe(409)
      await stop()
      expect(readdirSync(dataDir).filter((name) => name.startsWith('uploads.mdb.damaged-'))).toHaveLength(1)
      expect(fsck().exit).toBe(0)
    },
  )
})

describe('a ledger that is damaged while no server runs', { timeout: 180_000 }, () => {
  const log = () => join(dataDir, 'ledger', '00000001.log')
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
    await start()
    for (const version of ['v1', 'v2', 'v3']) await store(version, `bytes of ${version}`)
    await stop()
    overwrite('b/a/v2')
    overwrite('bytes of v3')
    await start()
    await expect.poll(health, { timeout: 30_000 }).toBe(503)
    await expect
      .poll(() => server?.log())
      .toMatch(/"operation":"ledger_damage".*"\d+ bytes from byte \d+ of 00000001.log are damaged/)
    await expect.poll(() => server?.log()).toContain('the bytes of b/a/v3 in 00000001.log are damaged')
    for (const response of [await get('v2'), await fetch(`${server?.url}/buckets/b/artifacts/a/versions`)]) {
      expect([response.status, response.headers.get('Retry-After')]).toEqual([503, null])
      expect(await response.json()).toMatchObject({
        code: 'unavailable',
        retryable: false,
        detail: expect.stringContaining('the record of b/a/v2 is damaged'),
        next: expect.stringContaining('bucket fsck'),
      })
    }
    expect(bucket('list', 'b/a', '--url', server?.url ?? '')).toMatchObject({
      exit: 5,
      stderr: expect.stringContaining('bucket fsck'),
    })
    expect(await (await get('v1')).text()).toBe('bytes of v1')
    // The index knows every reference, so a new one is free.
    expect((await store('v4', 'new')).status).toBe(201)
    expect(bucket('ls', '--data-dir', dataDir)).toMatchObject({
      exit: 5,
      stdout: expect.stringMatching(/^b\/a\/v1@.*\nb\/a\/v3@.*\nb\/a\/v4@/),
      stderr: expect.stringContaining('00000001.log are damaged'),
    })
  })
})

describe('a blob that is lost', { timeout: 180_000 }, () => {
  it('is restored by `bucket put`, which says so', async () => {
    await start()
    for (const size of [100_000, 3_000_000]) {
      const [ref, file] = [`b/a/v${size}`, join(folder, `${size}`)]
      writeFileSync(file, Buffer.alloc(size, 'x'))
      const put = () => bucket('put', ref, file, '--json', '--url', server?.url ?? '')
      expect(JSON.parse(put().stdout)).toMatchObject({ created: true, restored: false })
      expect(JSON.parse(put().stdout)).toMatchObject({ created: false, restored: false })
      rmSync(join(dataDir, 'blobs', 'b', 'a'), { recursive: true })
      const restored = put()
      expect(JSON.parse(restored.stdout)).toMatchObject({ created: false, restored: true })
      expect(restored.stderr).toContain('restored: it was stored before, and the server had lost its bytes')
      expect((await get(`v${size}`)).status).toBe(200)
    }
  })
})

describe('the folder of the blobs', { timeout: 60_000 }, () => {
  it('is missed at start, once anything is stored', async () => {
    await start()
    expect((await store('v1', 'small')).status).toBe(201)
    await stop()
    rmSync(join(dataDir, 'blobs'), { recursive: true })
    const refused = serve()
    expect(refused.exit).toBe(5)
    expect(refused.stderr).toContain('blobs is missing: it holds the bytes of every artifact above 16 KiB')
    expect(existsSync(join(dataDir, 'blobs'))).toBe(false)
  })

  const blobs = () => join(dataDir, 'blobs')
  it('is missed at start if it is empty although it held blobs, until its owner accepts the loss', async () => {
    await start()
    expect((await store('small', 'small')).status).toBe(201)
    expect((await store('large', LARGE)).status).toBe(201)
    await stop()
    renameSync(blobs(), join(folder, 'away'))
    mkdirSync(blobs())
    for (const ran of [serve(), fsck()]) {
      expect(ran.exit).toBe(5)
      expect(ran.stdout + ran.stderr).toMatch(
        /blobs is empty: it holds the bytes of every artifact above 16 KiB/,
      )
    }
    expect(namesIn(blobs())).toEqual([])
    // Back in its place, it is the one.
    rmSync(blobs(), { recursive: true })
    renameSync(join(folder, 'away'), blobs())
    await start()
    expect((await get('large')).status).toBe(200)
    await stop()
    rmSync(blobs(), { recursive: true })
    expect(bucket('fsck', '--discard-damage', '--data-dir', dataDir)).toMatchObject({
      exit: 5,
      stdout: expect.stringMatching(/^discarded {2}the folder .*blobs is missing.*\nmissing {2}b\/a\/large@/),
    })
    await start()
    expect([(await get('small')).status, (await get('large')).status]).toEqual([200, 500])
    expect((await store('large', 'other')).status).toBe(409)
    expect((await store('large', LARGE)).status).toBe(200)
    expect((await get('large')).status).toBe(200)
  })

  it.each(['stop', 'kill'] as const)(
    'that lost a folder in it is told after a %s, and the rest is served',
    async (how) => {
      await start()
      for (const version of ['v1', 'v2']) expect((await store(version, LARGE)).status).toBe(201)
      expect((await store('small', 'small')).status).toBe(201)
      await server?.[how]()
      const { url } = await start()
      const other = `${url}/buckets/c/artifacts/a/versions/v`
      const bytes = { method: 'PUT', body: LARGE, headers: { 'X-Artifact-Digest': DIGEST_OF_LARGE } }
      expect((await fetch(other, bytes)).status).toBe(201)
      await server?.[how]()
      rmSync(join(blobs(), 'b'), { recursive: true })
      await start()
      await expect
        .poll(() => server?.log())
        .toMatch(
          /"operation":"lost_blobs".*"message":"2 of 3 blobs above 16 KiB are missing or cut short, such as b\/a\/v1, b\/a\/v2: .*"lost_blobs":2/,
        )
      expect(await health()).toBe(200)
      expect((await get('v1')).status).toBe(500)
    },
  )

  it('may be empty while it holds no blob, and may have lost the end of the ledger', async () => {
    await start()
    expect((await store('v1', 'small')).status).toBe(201)
    await stop()
    rmSync(join(blobs(), '.ledger-end'))
    await start()
    expect((await store('v2', LARGE)).status).toBe(201)
    await stop()
    // As a copy of `blobs/*` leaves it.
    rmSync(join(blobs(), '.ledger-end'))
    await start()
    expect((await get('v2')).status).toBe(200)
  })

  it.each([
    ['removed', () => {}],
    ['replaced', () => mkdirSync(blobs())],
  ])('takes no blob if it was %s under a running server, and health says so', async (_, replace) => {
    await start()
    expect((await store('v1', LARGE)).status).toBe(201)
    renameSync(blobs(), join(folder, 'away'))
    replace()
    const { status, body } = await store('v2', LARGE)
    expect([status, JSON.parse(body)]).toMatchObject([503, { retryable: false }])
    expect(await health()).toBe(503)
    expect((await store('v3', 'small')).status).toBe(503)
    // The size of a chunked body is not known before its end.
    const chunked = await fetch(`${server?.url}/buckets/b/artifacts/a/versions/v4`, {
      ...{ method: 'PUT', duplex: 'half', body: new Blob([LARGE]).stream() },
      headers: { 'X-Artifact-Digest': DIGEST_OF_LARGE },
    })
    expect(chunked.status).toBe(503)
    const stopped = await server?.stop()
    expect([stopped, server?.log()]).toEqual([1, expect.stringContaining("blobs isn't the folder")])
    expect(namesIn(blobs())).toEqual([])
    expect(serve()).toMatchObject({ exit: 5, stderr: expect.stringMatching(/blobs is (missing|empty)/) })
  })
})

describe('a ledger that is lost under a running server', { timeout: 60_000 }, () => {
  it.each(['ledger', 'ledger/00000001.log'])(
    '(%s) is noticed by the health check and by a stop',
    async (lost) => {
      await start()
      expect((await store('v1', 'small')).status).toBe(201)
      expect(await health()).toBe(200)
      rmSync(join(dataDir, lost), { recursive: true })
      expect(await health()).toBe(503)
      expect((await store('v2', 'small')).status).toBe(503)
      const stopped = await server?.stop()
      expect([stopped, server?.log()]).toEqual([
        1,
        expect.stringMatching(
          /why: {2}the ledger in .* was removed or changed.*\n {2}next: Run `bucket fsck`/,
        ),
      ])
    },
  )
})

describe('a folder that is swapped under a running server', { timeout: 60_000 }, () => {
  async function expectRefusal() {
    for (const bytes of ['small', LARGE]) {
      const { status, retryAfter, body } = await store(`after-${bytes.length}`, bytes)
      expect([status, retryAfter], body).toEqual([503, null])
      expect(JSON.parse(body)).toMatchObject({
        retryable: false,
        next: expect.stringMatching(/operator.*restart/),
      })
    }
    for (const mode of ['single', 'multipart']) {
      const begun = await fetch(
        `${server?.url}/buckets/b/artifacts/a/versions/${mode}/uploads/${DIGEST_OF_LARGE}`,
        {
          ...{ method: 'PUT', headers: { 'Content-Type': 'application/json' } },
          body: JSON.stringify({ size: 100_000_000, mode }),
        },
      )
      expect([begun.status, await begun.json()]).toMatchObject([503, { retryable: false }])
    }
    const refusals = () =>
      (server?.log() ?? '')
        .split('\n')
        .filter((line) => line.includes('"operation":"store"') && line.includes('"status":503'))
    await expect.poll(() => refusals().length).toBe(2)
    for (const line of refusals()) expect(line).toContain('"error":')
    expect(await health()).toBe(503)
  }

  it.each([
    ['moved away', () => renameSync(dataDir, `${dataDir}-moved`)],
    ['removed', () => rmSync(dataDir, { recursive: true })],
    [
      'replaced by an older copy',
      () => {
        renameSync(dataDir, `${dataDir}-moved`)
        cpSync(join(folder, 'backup'), dataDir, { recursive: true })
      },
    ],
    [
      'overwritten, file by file, by an older copy',
      () => {
        for (const name of ['lock', 'ledger']) rmSync(join(dataDir, name), { recursive: true })
        cpSync(join(folder, 'backup'), dataDir, { recursive: true })
      },
    ],
  ])('(%s) takes no store, and its health says so', async (_, swap) => {
    await start()
    await store('v1', 'small')
    cpSync(dataDir, join(folder, 'backup'), { recursive: true })
    await store('v2', 'small')
    swap()
    const names = namesIn(dataDir)
    await expectRefusal()
    const stopped = await server?.stop()
    expect([stopped, server?.log()]).toEqual([
      1,
      expect.stringMatching(
        /error: The data folder cannot be used\n {2}why: {2}(.* isn't the folder that this server opened|the ledger in .* was removed)/,
      ),
    ])
    // The stop writes nothing into a folder that is not its own.
    expect(namesIn(dataDir)).toEqual(names)
  })

  it('(mounted over) refuses every store', async (context) => {
    mkdirSync(dataDir)
    await start()
    await store('v1', 'small')
    const mount = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', dataDir])
    context.skip(mount.status !== 0, 'a file system cannot be mounted here')
    try {
      await expectRefusal()
    } finally {
      execFileSync('umount', [dataDir])
    }
    expect((await store('v2', 'small')).status).toBe(201)
  })

  it('whose lock file was removed admits no second server, and refuses every store', async () => {
    await start()
    await store('v1', 'small')
    rmSync(join(dataDir, 'lock'))
    expect(serve()).toMatchObject({ exit: 1, stderr: expect.stringContaining('in use by another process') })
    await expectRefusal()
    const stopped = await server?.stop()
    expect([stopped, server?.log()]).toEqual([
      1,
      expect.stringMatching(
        /why: {2}the file .*\/lock was removed or replaced.*\n {2}next: Start the server/,
      ),
    ])
    await start()
    expect((await get('v1')).status).toBe(200)
    expect((await store('v2', 'small')).status).toBe(201)
  })
})

describe('a folder that loses a part while a server runs', { timeout: 60_000 }, () => {
  it('learns at the stop that its format file is gone, and starts once it is back', async () => {
    await start()
    await store('v1', 'small')
    renameSync(join(dataDir, 'format'), join(folder, 'format'))
    const stopped = await server?.stop()
    expect([stopped, server?.log()]).toEqual([
      1,
      expect.stringMatching(/why: {2}the file .*\/format was removed.*\n {2}next: Restore that file/),
    ])
    renameSync(join(folder, 'format'), join(dataDir, 'format'))
    await start()
    expect((await get('v1')).status).toBe(200)
  })

  it('ends a store at once where only the operator can help, and serves the rest', async () => {
    await start()
    expect((await store('v1', LARGE)).status).toBe(201)
    rmSync(join(dataDir, 'tmp'), { recursive: true })
    const file = join(folder, 'file')
    writeFileSync(file, Buffer.alloc(3_000_000))
    const put = bucket('put', 'b/a/v2', file, '--url', server?.url ?? '')
    expect(put).toMatchObject({ exit: 5, stderr: expect.stringMatching(/next: Tell the operator.*disk/) })
    const checked = await fetch(`${server?.url}/health`)
    expect([checked.status, checked.headers.get('Retry-After')]).toEqual([503, null])
    expect(await checked.json()).toMatchObject({ retryable: false, next: expect.stringContaining('disk') })
    expect((await get('v1')).status).toBe(200)
    // The lines of all requests before it have arrived.
    await expect.poll(() => server?.log()).toContain('"operation":"fetch"')
    expect(server?.log().match(/"operation":"store".*"status":503/g)).toHaveLength(1)
  })

  it('makes a folder of the blobs again that was removed', async () => {
    await start()
    expect((await store('v1', LARGE)).status).toBe(201)
    rmSync(join(dataDir, 'blobs', 'b'), { recursive: true })
    expect((await store('v2', LARGE)).status).toBe(201)
  })
})

describe('an artifact that does not fit', { timeout: 60_000 }, () => {
  it('is refused with 507 before its body is sent', async (context) => {
    mkdirSync(dataDir)
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', dataDir])
    context.skip(mount.status !== 0, 'a file system cannot be mounted here')
    try {
      await start()
      // A sparse file, which takes no space itself.
      const large = join(folder, 'large')
      writeFileSync(large, '')
      truncateSync(large, 4_000_000_000)
      const answer = spawnSync('curl', [
        ...['-sv', '-X', 'PUT', '--expect100-timeout', '30', '-H', 'Expect: 100-continue'],
        ...['-H', `X-Artifact-Digest: sha256:${'0'.repeat(64)}`],
        ...['-T', large, `${server?.url}/buckets/b/artifacts/a/versions/v`],
      ])
      expect(String(answer.stderr)).toContain('HTTP/1.1 507')
      expect(String(answer.stderr)).not.toContain('HTTP/1.1 100')
      const begin = await fetch(
        `${server?.url}/buckets/b/artifacts/a/versions/v/uploads/sha256:${'0'.repeat(64)}`,
        {
          method: 'PUT',
          body: JSON.stringify({ size: 4_000_000_000 }),
          headers: { 'Content-Type': 'application/json' },
        },
      )
      expect(begin.status).toBe(507)
      expect((await store('fits', LARGE)).status).toBe(201)
      await stop()
    } finally {
      await server?.kill()
      execFileSync('umount', [dataDir])
    }
  })
})

describe('the store of unfinished uploads, lost under a running server', { timeout: 60_000 }, () => {
  const PART = Buffer.alloc(1000, 'part')
  const digest = createHash('sha256').update(PART).digest('hex')
  const uploadOf = (version: string) =>
    `${server?.url}/buckets/b/artifacts/a/versions/${version}/uploads/sha256:${digest}`
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
  const asked = () => fetch(`${server?.url}/health`)

  it.each([
    ['staging', 'removed', 'the staging area'],
    ['staging', 'replaced', 'the staging area'],
    ['uploads.mdb', 'removed', 'the uploads table'],
    ['uploads.mdb', 'replaced', 'the uploads table'],
  ])('(%s, %s) takes no part, and health names it', async (name, change, named) => {
    await start()
    expect((await begin('v1')).status).toBe(201)
    const presigned = await call('POST', `${uploadOf('v1')}/parts`, {
      parts: [{ number: 1, sha256: digest }],
    })
    const { url, headers } = presigned.body.parts[0].request
    const { 'content-length': _, ...others } = headers
    const send = async () => (await fetch(url, { method: 'PUT', headers: others, body: PART })).status
    const [path, away] = [join(dataDir, name), join(folder, 'away')]
    renameSync(path, away)
    if (change === 'replaced') cpSync(away, path, { recursive: true })

    const checked = await asked()
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
    expect((await store('v3', LARGE)).status).toBe(201)

    rmSync(path, { recursive: true, force: true })
    renameSync(away, path)
    expect((await asked()).status).toBe(200)
    expect(await send()).toBe(200)
    expect((await begin('v2')).status).toBe(201)
  })
})
