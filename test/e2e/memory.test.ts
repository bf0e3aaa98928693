/**
 * The memory of a server is bounded for any input, and no sender keeps others waiting. The limits here are far above what an idle
 * machine shows (docs/operations.md) and far below what the same senders took without the bounds.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openConnection } from '../support/raw-socket.ts'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** A server that has just started uses about 130 MiB here, because it is compiled as it loads. */
const BOUND_MIB = 380

let folder: string
let server: ServedFolder
const sockets: Socket[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-memory-'))
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.kill()
  rmSync(folder, { recursive: true, force: true })
})

const start = async (...options: string[]) => {
  server = await serveFolder(join(folder, 'data'), ...options)
}
const origin = () => new URL(server.url)
const pathOf = (version: string) => `/v1/buckets/b/artifacts/a/versions/${version}`
const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const healthy = async () => (await fetch(`${server.url}/health`)).status === 200

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(origin().port), origin().hostname, () => resolve(socket))
    socket.on('error', reject)
    sockets.push(socket)
  })
}
/** Resolves when the system has taken the bytes. */
const write = (socket: Socket, bytes: string | Uint8Array) =>
  new Promise<void>((resolve) => void socket.write(bytes, () => resolve()))
const storeHead = (version: string, digest: string, framing: string) =>
  `PUT ${pathOf(version)} HTTP/1.1\r\nHost: ${origin().host}\r\nX-Artifact-Digest: ${digest}\r\n${framing}\r\n\r\n`

describe('memory', { timeout: 120_000 }, () => {
  it('is bounded while 200 senders stall in the middle of 4 MiB', async () => {
    await start()
    const bytes = randomBytes(4 * MIB)
    const head = (at: number) => storeHead(`v${at}`, digestOf(bytes), `Content-Length: ${bytes.length}`)
    const most = bytes.subarray(0, bytes.length - 64 * KIB)
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        const socket = await open()
        await write(socket, head(at))
        await write(socket, most)
      }),
    )
    expect(await healthy()).toBe(true)
    expect(server.peakMemory()).toBeLessThan(BOUND_MIB)
    // They were only slow.
    const [first] = sockets
    first?.write(bytes.subarray(most.length))
    await expect
      .poll(async () => (await fetch(`${server.url}${pathOf('v0').slice(3)}/entry`)).status)
      .toBe(200)
  })

  it('is bounded while 200 receivers take none of the 8 MiB that they asked for', async () => {
    await start()
    const bytes = randomBytes(8 * MIB)
    const stored = await fetch(`${server.url}${pathOf('v').slice(3)}`, {
      method: 'PUT',
      body: bytes,
      headers: { 'X-Artifact-Digest': digestOf(bytes) },
    })
    expect(stored.status).toBe(201)
    const request = `GET ${pathOf('v')} HTTP/1.1\r\nHost: ${origin().host}\r\n\r\n`
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = await open()
        await write(socket, request)
        await new Promise((resolve) => socket.once('readable', resolve))
      }),
    )
    expect(await healthy()).toBe(true)
    expect(server.peakMemory()).toBeLessThan(BOUND_MIB)
  })

  it('is bounded for bodies that come in chunks of one byte', async () => {
    await start()
    const chunks = '1\r\nx\r\n'.repeat(512 * KIB)
    await Promise.all(
      Array.from({ length: 4 }, async (_, at) => {
        const socket = await open()
        await write(socket, storeHead(`v${at}`, `sha256:${'0'.repeat(64)}`, 'Transfer-Encoding: chunked'))
        await write(socket, chunks)
      }),
    )
    expect(await healthy()).toBe(true)
    expect(server.peakMemory()).toBeLessThan(BOUND_MIB)
  })

  it('is bounded for 12 gzip bombs whose digest is wrong', async () => {
    await start()
    const bomb = gzipSync(Buffer.alloc(64 * MIB))
    const responses = await Promise.all(
      Array.from({ length: 12 }, (_, at) =>
        fetch(`${server.url}${pathOf(`v${at}`).slice(3)}`, {
          method: 'PUT',
          body: bomb,
          headers: { 'X-Artifact-Digest': `sha256:${'0'.repeat(64)}` },
        }),
      ),
    )
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 400))
    expect(server.peakMemory()).toBeLessThan(BOUND_MIB)
  })

  it('is bounded for 80,000 pipelined requests of a client that hangs up, and others are answered', async () => {
    await start()
    const count = 80_000
    const request = `GET /v1/health HTTP/1.1\r\nHost: ${origin().host}\r\n\r\n`
    const answered = () => server.log().split('"operation":"health"').length - 1
    const socket = await open()
    socket.write(request.repeat(count))
    await expect.poll(answered).toBeGreaterThan(0)
    // Others are served while these run.
    for (let at = 0; at < 5; at += 1) expect(await healthy()).toBe(true)
    expect(answered()).toBeLessThan(count / 2)
    socket.resetAndDestroy()
    expect(await healthy()).toBe(true)
    expect(answered()).toBeLessThan(count / 2)
    expect(server.peakMemory()).toBeLessThan(BOUND_MIB)
  })
})

describe('limits of senders', { timeout: 60_000 }, () => {
  it('end a body below the least rate with 408, though it makes progress', async () => {
    await start('--min-body-rate', '1MiB', '--body-grace', '1s')
    const connection = await openConnection(origin())
    connection.write(storeHead('v', `sha256:${'0'.repeat(64)}`, 'Content-Length: 1000000'))
    const drip = setInterval(() => connection.write('x'), 50)
    const answer = await connection.answer().finally(() => clearInterval(drip))
    expect(answer.status).toBe(408)
    expect(String(answer.body)).toMatch(/the body arrives too slowly: \d+ bytes in 1 s, .* 1048576 bytes/)
  })

  it('refuse a connection beyond --max-connections with 503, but answer health, until another one closes', async () => {
    await start('--max-connections', '10')
    const ask = async (path: string) => {
      const connection = await openConnection(origin())
      connection.write(`GET ${path} HTTP/1.1\r\nHost: ${origin().host}\r\n\r\n`)
      return connection.answer()
    }
    const open10 = await Promise.all(Array.from({ length: 10 }, open))
    // The server has accepted these when it answers on one that came after them.
    const refused = await ask('/v1')
    expect([refused.status, refused.headers.get('connection')]).toEqual([503, 'close'])
    expect(JSON.parse(String(refused.body))).toMatchObject({
      code: 'unavailable',
      retryable: true,
      detail: expect.stringContaining('10 connections'),
    })
    expect((await ask('/v1/health')).status).toBe(200)
    for (const socket of open10) socket.destroy()
    await expect.poll(async () => (await ask('/v1')).status).toBe(200)
  })
})
