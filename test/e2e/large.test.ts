/** Bytes are streams: neither the server nor the command holds a whole artifact in memory. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundledProgram } from '../support/bundled-program.ts'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

const MIB = 1024 * 1024
/** Twice what either process may hold. */
const SIZE = 512 * MIB
const block = Buffer.alloc(MIB, 'a block of bytes that is not all the same. ')

/** Every MiB begins with its own number. */
function* blocks(): Generator<Buffer> {
  for (let at = 0; at < SIZE / MIB; at += 1) {
    const next = Buffer.from(block)
    next.writeUInt32BE(at)
    yield next
  }
}

let folder: string
let server: ServedFolder
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bucket-large-'))
  server = await serveFolder(join(folder, 'data'))
}, 30_000)
afterAll(async () => {
  await server.kill()
  await rm(folder, { recursive: true, force: true })
})

describe('an artifact of 512 MiB', { timeout: 120_000 }, () => {
  it('is stored and fetched while the server uses less than 200 MiB, and a client less than 250 MiB', async () => {
    const hash = createHash('sha256')
    for (const bytes of blocks()) hash.update(bytes)
    const digest = `sha256:${hash.digest('hex')}`
    const url = `${server.url}/buckets/b/artifacts/large/versions/v1`

    const stored = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request(url, {
        method: 'PUT',
        headers: { 'X-Artifact-Digest': digest, 'Content-Length': SIZE, Expect: '100-continue' },
      })
      outgoing.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject)
      outgoing.on('continue', () => void pipeline(Readable.from(blocks()), outgoing).catch(reject))
      outgoing.flushHeaders()
    })
    expect(stored).toBe(201)

    const back = createHash('sha256')
    const response = await fetch(url)
    for await (const chunk of response.body ?? []) back.update(chunk)
    expect(`sha256:${back.digest('hex')}`).toBe(digest)
    expect(server.peakMemory()).toBeLessThan(200)

    const { path, remove } = await bundledProgram(`
      import { BucketClient } from './lib/client/node.ts'
      const bucket = new BucketClient({ url: ${JSON.stringify(server.url)} })
      const { digest } = await bucket.download('b/large/v1', ${JSON.stringify(join(folder, 'copy'))})
      console.log(JSON.stringify({ digest, mib: process.resourceUsage().maxRSS / 1024 }))`)
    const { stdout } = await promisify(execFile)(process.execPath, [path]).finally(remove)
    const got = JSON.parse(stdout)
    expect(got.digest).toBe(digest)
    // The ranges of several connections, of which those ahead of the others wait in memory to be hashed.
    expect(got.mib).toBeLessThan(250)
  })
})
