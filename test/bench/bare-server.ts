/**
 * The floor that Bucket is compared with: the minimum that a Node server can do and still keep its data: hash, write, fsync,
 * link. It has no ledger, no checks of the request, no durable names.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, open, unlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const folder = process.argv[2] ?? '.'

const server = createServer(async (request, response) => {
  const name = join(folder, encodeURIComponent(request.url ?? ''))
  if (request.method === 'GET') {
    createReadStream(name, { highWaterMark: 256 * 1024 }).pipe(response)
    return
  }
  const temporary = join(folder, randomUUID())
  const file = await open(temporary, 'wx')
  const hash = createHash('sha256')
  for await (const chunk of request) {
    hash.update(chunk)
    await file.write(chunk)
  }
  await file.sync()
  await file.close()
  const matches = request.headers['x-artifact-digest'] === `sha256:${hash.digest('hex')}`
  if (matches) await link(temporary, name)
  await unlink(temporary)
  response.writeHead(matches ? 201 : 400).end()
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
