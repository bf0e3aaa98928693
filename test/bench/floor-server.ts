/**
 * The floors of the targets: the least that a bare Node server can do for the same responses. It checks nothing and keeps no ledger.
 *
 * `GET /small` sends 1 KiB with the headers of Bucket; `PUT /small` reads a body, stores nothing, and sends Bucket's headers;
 * `GET /large` sends a file from two buffers that are used again; `PUT /large` hashes a body while it writes it, and syncs it.
 *
 * Arguments: a folder, and the size of the large file in bytes.
 */
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, ftruncateSync, openSync, read } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const [folder = '.', size = '0'] = process.argv.slice(2)
const file = join(folder, 'floor')
const fd = openSync(file, 'w+')
ftruncateSync(fd, Number(size))

const BUFFER_BYTES = 256 * 1024
const readFile = promisify(read)
const digest = `sha256:${'a'.repeat(64)}`
const body = Buffer.alloc(1024, 'floor')
const entry = JSON.stringify({
  ...{ bucket_id: 'bench', artifact_id: 'targets', version: 'v1', digest, size: 1024 },
  ...{ content_type: 'application/octet-stream', uploaded_by: null, provenance_source: null },
  created_at: new Date().toISOString(),
})
const common = () => ({
  'X-Request-Id': randomUUID(),
  'X-Content-Type-Options': 'nosniff',
  'Server-Timing': 'total;dur=0.10',
})
const fetchHeaders = (bytes: number) => ({
  'Cache-Control': 'private, max-age=31536000, immutable',
  ETag: `"${digest}"`,
  'X-Artifact-Digest': digest,
  'X-Artifact-Ref': 'bench/targets/v1',
  'Repr-Digest': `sha-256=:${'A'.repeat(43)}=:`,
  'X-Artifact-Size': String(bytes),
  'Accept-Ranges': 'bytes',
  'Last-Modified': new Date(0).toUTCString(),
  'Content-Disposition': 'attachment; filename="targets-v1"',
  'Content-Type': 'application/octet-stream',
  'Content-Security-Policy': 'sandbox',
  'Content-Length': String(bytes),
  ...common(),
})
const storeHeaders = () => ({
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  Location: '/v1/buckets/bench/artifacts/targets/versions/v1',
  ETag: `"${digest}"`,
  'X-Artifact-Digest': digest,
  ...common(),
  'Content-Length': String(entry.length),
})

async function sendLarge(response: ServerResponse): Promise<void> {
  response.writeHead(200, fetchHeaders(Number(size)))
  const buffers = [Buffer.allocUnsafeSlow(BUFFER_BYTES), Buffer.allocUnsafeSlow(BUFFER_BYTES)]
  let writing = Promise.resolve()
  for (let position = 0, turn = 0; position < Number(size); turn = 1 - turn) {
    const buffer = buffers[turn] ?? body
    const { bytesRead } = await readFile(fd, { buffer, position, length: BUFFER_BYTES })
    await writing
    position += bytesRead
    writing = new Promise((resolve) => response.write(buffer.subarray(0, bytesRead), () => resolve()))
  }
  await writing
  response.end()
}

async function takeLarge(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = join(folder, randomUUID())
  const target = await open(path, 'wx')
  const hash = createHash('sha256')
  let batch: Buffer[] = []
  let bytes = 0
  let writing: Promise<unknown> = Promise.resolve()
  const flush = async () => {
    const pieces = batch
    batch = []
    bytes = 0
    await writing
    writing = target.writev(pieces)
  }
  for await (const chunk of request) {
    hash.update(chunk)
    batch.push(chunk)
    bytes += chunk.byteLength
    if (bytes >= 2 * BUFFER_BYTES) await flush()
  }
  await flush()
  await writing
  await target.datasync()
  await target.close()
  hash.digest()
  response.writeHead(201, storeHeaders()).end(entry)
  // Rounds of a GiB would fill a file system in memory.
  await rm(path)
}

const server = createServer({ highWaterMark: 1024 * 1024 }, (request, response) => {
  if (request.url === '/large')
    return void (request.method === 'GET' ? sendLarge(response) : takeLarge(request, response))
  if (request.method === 'GET') return void response.writeHead(200, fetchHeaders(body.length)).end(body)
  void once(request.resume(), 'end').then(() => response.writeHead(201, storeHeaders()).end(entry))
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.once('SIGTERM', () => {
  closeSync(fd)
  process.exit()
})
