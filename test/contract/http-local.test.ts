/** The HTTP contract over a real socket: the Node server on a folder of its own, with limits small enough to reach. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { createApi } from '#http/api'
import type { ApiRequest, ApiResponse } from '#http/message'
import { type RunningServer, startServer } from '#http/node/server'
import type { BlobEndpoint } from '#local/blob-endpoint'
import { openFolder } from '#local/folder'
import { createRepository } from '#repository/repository'
import { describeHttpApi, describeNodeServer } from './http/api.ts'
import { socketTarget, type Target } from './http/target.ts'

const LIMITS = { maxInlineBytes: 1024 * 1024, maxArtifactBytes: 1024 * 1024 }
const STALL_MS = 1_000

let target: Target
let dataDir: string
let server: RunningServer
let folder: Awaited<ReturnType<typeof openFolder>>

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bucket-http-'))
  folder = await openFolder(dataDir)
  const repository = createRepository({ ...folder, clock: Date.now, ...LIMITS })
  server = await startServer({
    api: createApi({ repository, delivery: 'direct', log: () => {} }),
    host: '127.0.0.1',
    port: 0,
    timeouts: { headers: STALL_MS / 4, idle: STALL_MS, linger: STALL_MS },
    beside: besideApi(folder.blobEndpoint),
  })
  target = socketTarget({
    root: server.url,
    front: 'node-server',
    ...LIMITS,
    stallMs: STALL_MS,
    cannotWitness: {},
  })
})

afterAll(async () => {
  await server.stop()
  await folder.close()
  await rm(dataDir, { recursive: true })
})

describeHttpApi('the Node server on a folder', 'direct', () => target)
describeNodeServer('on a folder', () => target)

/** The blob endpoint speaks web-standard requests, the server plain messages. */
function besideApi(endpoint: BlobEndpoint) {
  return (request: ApiRequest): Promise<ApiResponse> | undefined => {
    const headers = new Headers()
    for (const name of ['Range', 'If-Range']) {
      const value = request.headers.get(name)
      if (value !== null) headers.set(name, value)
    }
    const url = new URL(request.target, request.origin)
    const rawPath = request.target.split('?')[0] ?? ''
    return endpoint(new Request(url, { method: request.method, headers }), { rawPath })?.then((response) => ({
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: response.body,
    }))
  }
}
