/**
 * The real API for tests of the client: the Node server over stores in memory, and the place to which its presigned requests
 * lead, each behind a fault layer of its own.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { Entry } from '../../lib/domain/entry.ts'
import { BucketError, type ErrorCode } from '../../lib/domain/errors.ts'
import { MIB, type UploadMode } from '../../lib/domain/limits.ts'
import { parseRef } from '../../lib/domain/refs.ts'
import { createApi } from '../../lib/http/api.ts'
import type { FullStores } from '../../lib/http/full-api.ts'
import { startServer } from '../../lib/http/node/server.ts'
import { READ_HANDLERS } from '../../lib/http/read-handlers.ts'
import { WRITE_HANDLERS } from '../../lib/http/write-handlers.ts'
import { BODY_DECODERS } from '../../lib/protocol/decode.ts'
import { encodeProblem } from '../../lib/protocol/encode.ts'
import { ERROR_STATUS } from '../../lib/protocol/errors.ts'
import type { UploadRecord } from '../../lib/repository/upload-ports.ts'
import { verifyUpload } from '../../lib/repository/verify.ts'
import { entryOf } from './fake-artifacts.ts'
import { type FakeBlobStore, fakeBlobStore } from './fake-blob-store.ts'
import { fakeLedger } from './fake-ledger.ts'
import { deliveringQueue } from './fake-queue.ts'
import { type FakeStaging, fakeStaging } from './fake-staging.ts'
import { type FakeUploads, fakeUploads } from './fake-uploads.ts'
import { type FaultLayer, faultLayer, type Head } from './fault-layer.ts'

/** Options of a client that retries and polls at once. Its other waits are long: a busy machine must not look like a dead one. */
export const IMPATIENT = {
  retry: { baseMs: 1, maxDelayMs: 5, attempts: 4 },
  timeouts: { idleMs: 20_000, continueMs: 200, pollMs: 1, verificationIdleMs: 5 },
}

type Stores = { -readonly [M in keyof FullStores]: FullStores[M] } & {
  readonly blobs: FakeBlobStore
  readonly staging: FakeStaging
  readonly uploads: FakeUploads
}

export interface ClientFront extends FaultLayer {
  /** The API root. */
  readonly url: string
  /** The origin of presigned requests. */
  readonly store: FaultLayer
  /** The stores behind the API; a test may replace one, and the limits. */
  readonly stores: Stores
  /** The mode that the service chooses for an upload; that of the rules if omitted. */
  mode: UploadMode | undefined
  /** Whether requested verifications are carried out. */
  verifies: boolean
  /** The entries of all stored artifacts. */
  entries(): readonly Entry[]
  /** The row of the upload that began last. */
  upload(): UploadRecord
  /** The numbers of the parts that the store acknowledged, in the order of their requests; 1 for a whole blob. */
  acknowledged(): readonly number[]
  /** Stores an artifact; its stored bytes may differ from its entry. */
  put(ref: string, bytes: Uint8Array, options?: PutOptions): Entry
  /** The stored bytes; undefined when there is no entry. */
  bytesOf(ref: string): Promise<Buffer | undefined>
  /** Writes the next row of the upload that began last. */
  changeUpload(change: (record: UploadRecord) => UploadRecord): Promise<void>
  close(): Promise<void>
}

export interface PutOptions {
  readonly described?: Partial<Entry>
  /** The store holds these bytes in place of the right ones. */
  readonly stored?: Uint8Array
}

export interface FrontOptions {
  /** The path under which the API is mounted, before `/v1`. */
  readonly root?: string
  /** A redirecting front sends no bytes itself, as the deployed one. */
  readonly delivery?: 'direct' | 'redirect'
}

export async function startFront({
  root = '',
  delivery = 'direct',
}: FrontOptions = {}): Promise<ClientFront> {
  const layer = await faultLayer({ root, always: withoutWaits })
  const store = await faultLayer()
  const clock = Date.now
  const blobs = fakeBlobStore({ clock, origin: `${store.origin}/blobs` })
  const staging = fakeStaging({ blobs, clock, origin: `${store.origin}/parts` })
  const ledger = fakeLedger()
  const uploads = fakeUploads()
  const queue = deliveringQueue(async (request) => {
    if (front.verifies) await verifyUpload(stores, request)
  })
  const stores: Stores = {
    ...{ blobs, staging, ledger, uploads, queue, clock, health: { ledger, 'blob store': blobs } },
    ...(delivery === 'direct' && { bytes: blobs }),
    maxArtifactBytes: 256 * MIB,
    maxInlineBytes: 64 * MIB,
    presignedSeconds: 600,
  }
  const api = createApi({
    handlers: {
      ...READ_HANDLERS,
      ...WRITE_HANDLERS,
      beginUpload: (input, context) =>
        WRITE_HANDLERS.beginUpload(
          { ...input, body: { ...input.body, mode: front.mode ?? input.body.mode } },
          context,
        ),
    },
    bodies: BODY_DECODERS,
    stores,
    log: () => {},
  })
  const server = await startServer({ api, host: '127.0.0.1', port: 0, publicUrl: new URL(layer.origin) })
  layer.target = new URL(server.url).origin
  const storeServer = await serveStore(store.origin, blobs, staging)
  store.target = storeServer.origin

  const closeLayer = layer.close
  const front: ClientFront = Object.assign(layer, {
    url: `${layer.origin}${root}/v1`,
    store,
    stores,
    mode: undefined,
    verifies: true,
    entries: () => ledger.entries,
    upload() {
      const row = uploads.rows.at(-1)
      if (!row) throw new Error('no upload began')
      return row
    },
    acknowledged: () => store.received.filter(({ status }) => status === 200).map(({ url }) => partOf(url)),
    put(ref: string, bytes: Uint8Array, { described, stored = bytes }: PutOptions = {}) {
      const entry = entryOf(ref, bytes, described)
      blobs.plant(entry, stored)
      void ledger.append(entry, ref)
      return entry
    },
    async bytesOf(ref: string) {
      const entry = await ledger.find(parseRef(ref))
      if (entry === undefined) return undefined
      return Buffer.concat(await Readable.from(await blobs.read(entry, undefined, undefined)).toArray())
    },
    async changeUpload(change: (record: UploadRecord) => UploadRecord) {
      const row = front.upload()
      if (!(await uploads.write(change(row), row))) throw new Error('the row changed in the meantime')
    },
    async close() {
      await Promise.all([closeLayer(), store.close()])
      await Promise.all([server.stop(), storeServer.close()])
    },
  })
  return front
}

/** Tests do not wait for the seconds of Retry-After. */
function withoutWaits({ headers }: Head): void {
  if (headers['retry-after'] !== undefined) headers['retry-after'] = '0'
}

/** @returns the number of the part that a request to the store is about; 1 for a whole blob. */
export const partOf = (url = ''): number => Number(/^\/parts\/[^/]+\/(\d+)\?/.exec(url)?.[1] ?? 1)

/** Gives the stores in memory a socket for their presigned requests. */
async function serveStore(origin: string, blobs: FakeBlobStore, staging: FakeStaging) {
  const server = createServer(async (request, response) => {
    const { url = '', headers } = request
    const method = request.method === 'PUT' ? 'PUT' : 'GET'
    const presigned = {
      method,
      url: `${origin}${url}`,
      headers: headers as Record<string, string>,
      expiresAt: '',
    } as const
    // `buffer` of Node's consumers copies large bodies several times.
    const body = await request.toArray().then(Buffer.concat, () => undefined)
    if (body === undefined) return
    const answer = url.startsWith('/parts/')
      ? new Response('<Error/>', { status: await staging.send(presigned, body) })
      : await blobs.send(presigned, { headers: presigned.headers, body })
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    if (answer.body) Readable.fromWeb(answer.body as ReadableStream<Uint8Array>).pipe(response)
    else response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Answers with the problem of this code; `members` are added or replaced. */
export function sendProblem(
  response: ServerResponse,
  code: ErrorCode,
  members: object = {},
  headers: Readonly<Record<string, string>> = {},
): true {
  const error = new BucketError<ErrorCode>(code, `the test says ${code}`, {})
  response.writeHead(ERROR_STATUS[code], { 'content-type': 'application/problem+json', ...headers })
  response.end(
    JSON.stringify({
      ...encodeProblem(error, { requestId: 'r-1', origin: 'http://bucket.test' }),
      ...members,
    }),
  )
  return true
}
