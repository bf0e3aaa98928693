/**
 * Uploads to a real server process with plain `fetch`: the server is killed at the worst moments and restarted, and the uploads
 * resume with correct bytes.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, open, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MIB } from '../../lib/domain/limits.ts'
import { IS_EXHAUSTIVE } from '../support/exhaustive.ts'
import { someBytes } from '../support/fake-artifacts.ts'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

let dataDir: string
let server: ServedFolder

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-e2e-uploads-'))
  server = await serveFolder(dataDir)
})
afterEach(async () => {
  await server.kill()
  await rm(dataDir, { recursive: true })
})

async function killAndRestart() {
  await server.kill()
  server = await serveFolder(dataDir)
}
const hex = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** An artifact that is never in memory as a whole: each part is the same block with its number in front. */
function artifact(size: number, block = 16 * MIB) {
  const content = someBytes(block)
  const count = Math.ceil(size / block)
  const part = (number: number): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(content.subarray(0, Math.min(block, size - (number - 1) * block)))
    new DataView(bytes.buffer).setUint32(0, number)
    return bytes
  }
  const hash = createHash('sha256')
  for (let number = 1; number <= count; number++) hash.update(part(number))
  return { size, count, part, digest: `sha256:${hash.digest('hex')}` }
}
type Artifact = ReturnType<typeof artifact>

interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
}
interface Upload {
  readonly state: string
  readonly received?: boolean | { readonly number: number }[]
  readonly request?: Request
  readonly part_count?: number
  readonly entry?: object
}

const pathOf = ({ digest }: Artifact) => `${server.url}/buckets/b/artifacts/a/versions/v/uploads/${digest}`

async function call<T>(method: string, url: string, body?: object): Promise<{ status: number; body: T }> {
  const response = await fetch(url, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  })
  return { status: response.status, body: (await response.json()) as T }
}
const begin = (of: Artifact, mode: string) => call<Upload>('PUT', pathOf(of), { size: of.size, mode })
const state = async (of: Artifact) => (await call<Upload>('GET', pathOf(of))).body
const commit = (of: Artifact) => call<Upload>('POST', `${pathOf(of)}/commit`)
const received = async (of: Artifact) => {
  const { received: parts } = await state(of)
  return Array.isArray(parts) ? parts.map(({ number }) => number) : expect.fail('not multipart')
}

async function send({ method, url, headers }: Request, body: Uint8Array<ArrayBuffer>): Promise<number> {
  // `fetch` sets Content-Length itself, to this value.
  expect(headers['content-length']).toBe(String(body.byteLength))
  const { 'content-length': _, ...others } = headers
  const response = await fetch(url, { method, headers: others, body })
  await response.arrayBuffer()
  return response.status
}
async function sendPart(of: Artifact, number: number): Promise<number> {
  const bytes = of.part(number)
  const asked = await call<{ parts: [{ request: Request }] }>('POST', `${pathOf(of)}/parts`, {
    parts: [{ number, sha256: hex(bytes) }],
  })
  return send(asked.body.parts[0].request, bytes)
}
/** Sends four parts at a time. */
async function sendParts(of: Artifact, numbers: readonly number[]) {
  const left = [...numbers]
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let number = left.shift(); number !== undefined; number = left.shift())
        expect(await sendPart(of, number)).toBe(200)
    }),
  )
}
async function settled(of: Artifact): Promise<Upload> {
  for (;;) {
    const upload = await state(of)
    if (upload.state !== 'verifying') return upload
    await pause(50)
  }
}
async function expectStored(of: Artifact) {
  const response = await fetch(`${server.url}/buckets/b/artifacts/a/versions/v`)
  expect(response.status).toBe(200)
  const hash = createHash('sha256')
  for await (const chunk of response.body ?? []) hash.update(chunk)
  expect(`sha256:${hash.digest('hex')}`).toBe(of.digest)
}
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)

describe('an upload in parts', () => {
  const bound = IS_EXHAUSTIVE ? '; the server stays below 250 MiB' : ''
  it(`resumes after kill -9 between parts, in the middle of parts, and during verification${bound}`, {
    timeout: 240_000,
  }, async () => {
    // In an exhaustive run larger than the server's memory limit, so that the server cannot hold it whole.
    const large = artifact((IS_EXHAUSTIVE ? 272 : 112) * MIB + 12_345)
    const third = Math.floor(large.count / 3)
    expect(await begin(large, 'multipart')).toMatchObject({
      status: 201,
      body: { state: 'open', part_count: large.count, received: [] },
    })
    await sendParts(large, numbers(1, third))
    const peaks = [server.peakMemory()]
    await killAndRestart()

    // The upload is found by ref and digest, with every acknowledged part.
    expect(await begin(large, 'multipart')).toMatchObject({ status: 200 })
    expect(await received(large)).toEqual(numbers(1, third))
    await sendParts(large, numbers(third + 1, 2 * third))
    const middle = numbers(2 * third + 1, 2 * third + 3)
    const cut = middle.map((number) => sendPart(large, number).catch(() => 'cut'))
    await pause(20)
    await killAndRestart()
    const outcomes = await Promise.all(cut)
    const there = await received(large)
    // Acknowledged parts must be present; others may be.
    const sure = [...numbers(1, 2 * third), ...middle.filter((_, at) => outcomes[at] === 200)]
    expect(there).toEqual(expect.arrayContaining(sure))
    const incomplete = await commit(large)
    expect(incomplete).toMatchObject({ status: 409, body: { code: 'upload_incomplete' } })
    await sendParts(
      large,
      numbers(2 * third + 1, large.count).filter((number) => !there.includes(number)),
    )
    peaks.push(server.peakMemory())

    expect(await commit(large)).toMatchObject({ status: 202, body: { state: 'verifying' } })
    await killAndRestart()
    expect(await state(large)).toMatchObject({ state: 'verifying' })
    expect(await settled(large)).toMatchObject({ state: 'committed', entry: { size: large.size } })
    await expectStored(large)
    peaks.push(server.peakMemory())
    for (const peak of peaks) expect(peak).toBeLessThan(250)
    expect((await commit(large)).status).toBe(200)
    await expect.poll(() => readdir(join(dataDir, 'staging'))).toEqual([])
  })

  it('is verified after a restart when the server stops during verification', {
    timeout: 60_000,
  }, async () => {
    const large = artifact(80 * MIB)
    await begin(large, 'multipart')
    await sendParts(large, numbers(1, large.count))
    expect((await commit(large)).status).toBe(202)
    expect(await server.stop()).toBe(0)
    server = await serveFolder(dataDir)
    expect((await settled(large)).state).toBe('committed')
    await expectStored(large)
  })

  it.each([
    ['removed', (file: string) => rm(file)],
    ['cut short', (file: string) => truncate(file, 1000)],
  ])('begins again after its file was %s, and the log names the file once', async (_, lose) => {
    const one = artifact(17 * MIB)
    await begin(one, 'multipart')
    await sendParts(one, [1, 2])
    const [name = ''] = await readdir(join(dataDir, 'staging'))
    await lose(join(dataDir, 'staging', name))
    expect(await received(one)).toEqual([])
    expect(await sendPart(one, 1)).toBe(404)
    expect(await begin(one, 'multipart')).toMatchObject({ status: 201, body: { received: [] } })
    await sendParts(one, [1, 2])
    expect((await commit(one)).status).toBe(202)
    expect((await settled(one)).state).toBe('committed')
    await expectStored(one)
    expect(await server.stop()).toBe(0)
    const lost = server.log().match(/"operation":"lost_parts".*/g)
    expect(lost).toEqual([expect.stringContaining(name)])
  })

  it('whose parts match but whose whole does not fails, and does not become visible', async () => {
    const right = artifact(20 * MIB)
    const wrong = { ...right, digest: `sha256:${'0'.repeat(64)}` }
    await begin(wrong, 'multipart')
    await sendParts(wrong, [1, 2])
    expect((await commit(wrong)).status).toBe(202)
    expect(await settled(wrong)).toMatchObject({
      state: 'failed',
      problem: { code: 'digest_mismatch', computed_digest: right.digest },
    })
    await expect
      .poll(() => server.log())
      .toMatch(/"operation":"verify".*"outcome":"failed".*"code":"digest_mismatch"/)
    expect((await fetch(`${server.url}/buckets/b/artifacts/a/versions/v`)).status).toBe(404)
    await expect.poll(() => readdir(join(dataDir, 'staging'))).toEqual([])
    expect(await begin(wrong, 'multipart')).toMatchObject({ status: 201, body: { received: [] } })
  })
})

describe('the bytes of a part that were damaged after it arrived', () => {
  it('are refused at the commit, however long before it the damage was done', async () => {
    const damaged = artifact(40 * MIB)
    await begin(damaged, 'multipart')
    await sendParts(damaged, [1, 2])
    const [name = ''] = await readdir(join(dataDir, 'staging'))
    const file = await open(join(dataDir, 'staging', name), 'r+')
    await file.write('DAMAGE', 100)
    await file.close()
    await sendParts(damaged, [3])
    await commit(damaged)
    expect(await settled(damaged)).toMatchObject({ state: 'failed', problem: { code: 'digest_mismatch' } })
    expect((await fetch(`${server.url}/buckets/b/artifacts/a/versions/v`)).status).toBe(404)
  })
})

describe('an upload in one request', () => {
  it('is found with its bytes after a kill before the commit, and its bytes are hashed again', async () => {
    const small = artifact(3 * MIB)
    const { body: upload } = await begin(small, 'single')
    expect(await send(upload.request ?? expect.fail('no request'), small.part(1))).toBe(200)
    await killAndRestart()
    expect(await begin(small, 'single')).toMatchObject({ status: 200, body: { received: true } })
    expect((await commit(small)).status).toBe(202)
    expect((await settled(small)).state).toBe('committed')
    await expectStored(small)
  })

  it('is committed at once by the server that received its bytes, and its presigned URL is never logged', async () => {
    let log = ''
    server.child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk
    })
    const small = artifact(3 * MIB)
    const { body: upload } = await begin(small, 'single')
    const request = upload.request ?? expect.fail('no request')
    expect(await send(request, small.part(1))).toBe(200)
    expect(await send(request, small.part(1))).toBe(412)
    expect((await commit(small)).status).toBe(201)
    await expectStored(small)
    await server.stop()
    const lines = log.split('\n').filter((line) => line.startsWith('{'))
    const blobs = lines.map((line) => JSON.parse(line)).filter(({ operation }) => operation === 'blob')
    expect(blobs).toMatchObject([
      { method: 'PUT', status: 200, bucket_id: 'b', version: 'v', digest: small.digest, size: 3 * MIB },
      { method: 'PUT', status: 412, digest: small.digest },
    ])
    expect(log).not.toContain('signature')
  })
})
