/**
 * A blob store that ignores checksums and lengths: it keeps any bytes under any name, attests only blobs that it wrote through
 * Bucket, and otherwise behaves well. Even with this store, no rule may make a wrong byte visible.
 */
import type { Clock } from '../../lib/repository/ports.ts'
import { type FakeBlobStore, fakeBlobStore } from './fake-blob-store.ts'

export function dishonestBlobStore(options: { readonly clock: Clock }): FakeBlobStore {
  const honest = fakeBlobStore(options)
  const meant = new Map<string, Parameters<FakeBlobStore['plant']>[0]>()
  return {
    ...honest,
    get count() {
      return honest.count
    },
    async presignPut(blob, size, description, seconds) {
      const request = await honest.presignPut(blob, size, description, seconds)
      meant.set(request.url, blob)
      return request
    },
    async send(request, sent) {
      const blob = meant.get(request.url)
      if (!blob || request.method !== 'PUT') return honest.send(request, sent)
      const { found } = await honest.inspect(blob)
      if (found) return new Response(null, { status: 412 })
      honest.plant(blob, sent?.body ?? new Uint8Array())
      return new Response(null, { status: 200 })
    },
  }
}
