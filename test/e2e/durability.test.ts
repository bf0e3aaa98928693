/** A 201 of the local server survives a process that dies at any moment, and no store is left half done. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IS_EXHAUSTIVE } from '../support/exhaustive.ts'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

/** Kills of one folder, each in the middle of more stores than the one before. */
const ROUNDS = IS_EXHAUSTIVE ? 4 : 2

let folder: string
let server: ServedFolder
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-durability-'))
  server = await serveFolder(join(folder, 'data'))
})
afterEach(async () => {
  await server.kill()
  await rm(folder, { recursive: true, force: true })
})

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const versions = (artifact: string) => `${server.url}/buckets/b/artifacts/${artifact}/versions`

async function store(artifact: string, version: string, bytes: Uint8Array): Promise<number> {
  const response = await fetch(`${versions(artifact)}/${version}`, {
    method: 'PUT',
    body: Buffer.from(bytes),
    headers: { 'X-Artifact-Digest': digestOf(bytes) },
  })
  await response.arrayBuffer()
  return response.status
}

async function listed(artifact: string): Promise<{ version: string; digest: string }[]> {
  const response = await fetch(`${versions(artifact)}?limit=1000`)
  const page = (await response.json()) as {
    versions: { version: string; digest: string }[]
    next_cursor: null
  }
  expect(page.next_cursor).toBeNull()
  return page.versions
}

describe('a server that is killed in the middle of stores', { timeout: 120_000 }, () => {
  it('keeps every acknowledged store, and shows only complete artifacts', async () => {
    const acknowledged = new Map<string, string>()
    for (let round = 0; round < ROUNDS; round += 1) {
      let enough = () => {}
      const moment = new Promise<void>((resolve) => {
        enough = resolve
      })
      let alive = true
      const goal = acknowledged.size + 25 + round * 17
      const writer = async (name: number) => {
        for (let index = 0; alive; index += 1) {
          const version = `r${round}-w${name}-${index}`
          const bytes = randomBytes(1 + ((index * 7919 + name * 104_729) % 300_000))
          const status = await store('killed', version, bytes).catch(() => undefined)
          if (status === 201) acknowledged.set(version, digestOf(bytes))
          // A kill shows as a missing response. Any other failure is an error of the running server.
          else if (alive) throw new Error(`${version} was answered ${status}`)
          if (acknowledged.size >= goal) enough()
        }
      }
      const writers = Array.from({ length: 8 }, (_, name) => writer(name))
      await Promise.race([moment, ...writers])
      alive = false
      await server.kill()
      await Promise.all(writers)
      server = await serveFolder(join(folder, 'data'))
      expect(await readdir(join(folder, 'data', 'tmp'))).toEqual([])
    }
    const entries = await listed('killed')
    const visible = new Map(entries.map(({ version, digest }) => [version, digest]))
    for (const [version, digest] of acknowledged) expect(visible.get(version), version).toBe(digest)
    // Some stores were durable although the client got no response: they are complete, too.
    for (const { version, digest } of entries) {
      const response = await fetch(`${versions('killed')}/${version}`)
      expect(digestOf(new Uint8Array(await response.arrayBuffer())), version).toBe(digest)
    }
  })

  it('does not show a store whose body was still arriving, and accepts a repeat', async () => {
    const bytes = randomBytes(8 * 1024 * 1024)
    const url = `${versions('half')}/v1`
    const outgoing = request(url, {
      method: 'PUT',
      headers: { 'X-Artifact-Digest': digestOf(bytes), 'Content-Length': bytes.length },
    }).on('error', () => {})
    outgoing.write(bytes.subarray(0, bytes.length - 1))
    // The temporary file has all bytes except the last, so the server has received them and cannot have finished.
    await expect.poll(() => readdir(join(folder, 'data', 'tmp'))).not.toEqual([])
    await server.kill()
    outgoing.destroy()
    server = await serveFolder(join(folder, 'data'))
    expect((await fetch(`${versions('half')}/v1/entry`)).status).toBe(404)
    expect(await listed('half')).toEqual([])
    expect(await store('half', 'v1', bytes)).toBe(201)
  })
})
