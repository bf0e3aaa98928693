/**
 * What the tests of `bucket mcp` in one file share: a real server behind a proxy that injects faults, and for each test a folder and a
 * name for its artifacts.
 */
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { BucketClient } from '../../lib/client/node.ts'
import { type FaultProxy, faultProxy } from '../support/fault-proxy.ts'
import { type Era, type McpSession, startMcp } from '../support/mcp-session.ts'
import { type Served, serveFolder } from '../support/served-folder.ts'

/** The digest of `hello`. */
export const HELLO = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'

export interface Stored {
  readonly pinned_ref: string
  readonly created: boolean
  readonly note?: string
}

/** Call it once in a file, outside of its tests. */
export function mcpUnderTest() {
  let folder: string
  let server: Served
  let proxy: FaultProxy
  let bucket: BucketClient
  let work: string
  let session: McpSession | undefined
  let count = 0

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'bucket-mcp-')))
    proxy = await faultProxy()
    server = await serveFolder(join(folder, 'data'), '--public-url', proxy.origin)
    proxy.target = server.url
    bucket = new BucketClient({ url: server.url })
  }, 60_000)
  beforeEach(async () => {
    proxy.reset()
    count += 1
    work = join(folder, `work-${count}`)
    await mkdir(work)
  })
  afterEach(async () => {
    await session?.close()
    session = undefined
  })
  afterAll(async () => {
    await proxy.close()
    await server.kill()
    await rm(folder, { recursive: true })
  })

  return {
    /** Holds the folders of all tests. */
    get folder() {
      return folder
    },
    get proxy() {
      return proxy
    },
    /** The server itself, without the proxy. */
    get url() {
      return server.url
    },
    /** A client of the server itself. */
    get bucket() {
      return bucket
    },
    /** The folder of this test. */
    get work() {
      return work
    },
    at: (...names: readonly string[]) => join(work, ...names),
    /** Names an artifact of this test. */
    get id() {
      return `mcp/test-${count}`
    },
    /** Starts a session whose root is the folder of this test, and ends it after the test. */
    async start(options: readonly string[] = [], era: Era = 'legacy'): Promise<McpSession> {
      session = await startMcp(['--url', proxy.url, '--root', work, ...options], era)
      return session
    },
    /** Stops the traffic to the client. @returns resolves once this many bytes have passed. */
    stallAfter: (limit: number) =>
      new Promise<void>((resolve) => {
        proxy.alter = (piece, passed) => {
          if (passed > limit) {
            proxy.stall()
            resolve()
          }
          return piece
        }
      }),
  }
}

/** The file of a fetch that did not end. */
export const PARTIAL = /^\.[0-9a-f]{64}\.bucket-partial$/

export const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
}
