/**
 * The HTTP contract over a real socket: the Node server on a folder of its own, with limits small enough to reach. It runs
 * twice: once with every request on the general path, and once with plain requests on the hot path.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { createFullApi } from '../../lib/http/full-api.ts'
import { createHotPath } from '../../lib/http/node/hot-path.ts'
import { type RunningServer, startServer } from '../../lib/http/node/server.ts'
import { blobFolder, blobName } from '../../lib/local/blob-names.ts'
import { type Folder, openFolder } from '../../lib/local/folder.ts'
import { folderPorts } from '../support/folder-ports.ts'
import { describeHttpApi, describeNodeServer } from './http/api.ts'
import { socketTarget, type Target } from './http/target.ts'
import { describeUploadApi } from './http/uploads.ts'

const MIB = 1024 * 1024
const LIMITS = { maxInlineBytes: MIB, maxArtifactBytes: MIB }
const STALL_MS = 1_000

/** Room for two parts. */
const UPLOAD_LIMITS = { maxInlineBytes: MIB, maxArtifactBytes: 80 * MIB }

describe.each([
  ['on the general path', false],
  ['with the hot path', true],
])('%s', (path, isHot) => {
  let target: Target
  let uploadTarget: Target
  let dataDir: string
  /** Of either server: they have one folder. */
  const lose: Target['lose'] = (blob) => rm(join(blobFolder(join(dataDir, 'blobs'), blob), blobName(blob)))

  let servers: readonly RunningServer[]
  let folder: Folder

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'bucket-http-'))
    folder = await openFolder(dataDir)
    const server = await start(LIMITS)
    const uploadServer = await start(UPLOAD_LIMITS)
    servers = [server, uploadServer]
    target = socketTarget({
      root: server.url,
      front: 'node-server',
      ...LIMITS,
      stallMs: STALL_MS,
      lose,
      cannotWitness: {},
    })
    uploadTarget = socketTarget({
      root: uploadServer.url,
      front: 'node-server',
      ...UPLOAD_LIMITS,
      lose,
      cannotWitness: {},
    })
  })

  function start(limits: typeof LIMITS): Promise<RunningServer> {
    const ports = folderPorts(folder)
    const stores = { ...ports, clock: Date.now, ...limits, presignedSeconds: 600 }
    return startServer({
      api: createFullApi({ stores, log: () => {} }),
      ...(isHot && { hotPath: createHotPath({ stores, log: () => {} }) }),
      host: '127.0.0.1',
      port: 0,
      timeouts: { headers: STALL_MS / 4, idle: STALL_MS, linger: STALL_MS },
      bodyPace: { bytesPerSecond: 1, graceMs: STALL_MS },
      extraRoutes: folder.blobEndpoint,
    })
  }

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    await folder.close()
    await rm(dataDir, { recursive: true })
  })

  describeHttpApi(`the Node server on a folder, ${path}`, 'direct', () => target)
  describeNodeServer(`on a folder, ${path}`, () => target)
  describeUploadApi(`the Node server on a folder, ${path}`, () => uploadTarget)
})
