/** The API in this process, over stores in memory: the contract without a socket, an emulator or a disk. */

import { createFullApi } from '../../../lib/http/full-api.ts'
import { verifyUpload } from '../../../lib/repository/verify.ts'
import { fakeBlobStore } from '../../support/fake-blob-store.ts'
import { fakeLedger } from '../../support/fake-ledger.ts'
import { deliveringQueue } from '../../support/fake-queue.ts'
import { fakeStaging } from '../../support/fake-staging.ts'
import { fakeUploads } from '../../support/fake-uploads.ts'
import { framingHeaders, headerMap, type RawRequest, type RawResponse } from '../../support/raw-http.ts'
import { webHandler } from '../../support/web-handler.ts'
import { type FetchMode, pathBelow, type Target } from './target.ts'

const ROOT = 'http://bucket.test/v1'

/** @param options limits in bytes. */
export function memoryTarget(
  delivery: FetchMode,
  options: Pick<Target, 'maxInlineBytes' | 'maxArtifactBytes'>,
): Target {
  const clock = Date.now
  const blobs = fakeBlobStore()
  const staging = fakeStaging({ blobs, clock })
  const queue = deliveringQueue((request) => verifyUpload(dependencies, request))
  const ledger = fakeLedger()
  const ports = {
    blobs,
    staging,
    queue,
    ledger,
    uploads: fakeUploads(),
    clock,
    health: { ledger, 'blob store': blobs },
  }
  const dependencies = { ...ports, ...options, presignedSeconds: 600 }
  const stores = delivery === 'direct' ? { ...dependencies, bytes: blobs } : dependencies
  const handle = webHandler(createFullApi({ stores, log: () => {} }))
  return {
    ...options,
    root: ROOT,
    front: 'in-process',
    cannotWitness: {
      'raw-path': 'a web-standard Request resolves dot segments before any handler sees them',
    },
    lose: async (blob) => blobs.lose(blob),
    send: async (request) => rawResponse(await handle(webRequest(request))),
    async follow(url, headers = [], { method, body } = { method: 'GET' }) {
      const fields = Object.fromEntries(headers)
      const request = {
        method: method === 'PUT' ? 'PUT' : 'GET',
        url,
        headers: fields,
        expiresAt: '',
      } as const
      if (url.startsWith('https://staging.test/')) {
        const status = await staging.send(request, body ?? new Uint8Array())
        return { status, headers: new Map(), body: Buffer.alloc(0) }
      }
      return rawResponse(await blobs.send(request, { headers: fields, ...(body && { body }) }))
    },
  }
}

function webRequest(request: RawRequest): Request {
  const headers = new Headers()
  for (const [name, value] of [...(request.headers ?? []), ...framingHeaders(request)])
    headers.append(name, value)
  const url = new URL(pathBelow(ROOT, request.path), ROOT)
  return new Request(url, { method: request.method, headers, body: request.body?.slice() ?? null })
}

const rawResponse = async (response: Response): Promise<RawResponse> => ({
  status: response.status,
  headers: headerMap(response.headers),
  body: Buffer.from(await response.arrayBuffer()),
})
