/** The platform wherever there is only `fetch`: browsers, workers. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Platform, Sha256 } from '../platform.ts'
import { blobSource, readStream } from '../transfer/source.ts'
import { fetchTransport } from './fetch-transport.ts'

function createSha256(): Sha256 {
  const hash = sha256.create()
  return { update: (chunk) => hash.update(chunk), hex: () => bytesToHex(hash.digest()) }
}

/** @returns a platform without files and AWS credentials; its transport sends bodies whole and sees no redirect. */
export function browserPlatform(): Platform {
  return {
    transport: fetchTransport(),
    sha256: createSha256,
    // The browser itself keeps a large Blob on disk.
    async spool(stream, { onProgress, signal }) {
      const hash = createSha256()
      const parts: Blob[] = []
      let bytes = 0
      for await (const chunk of readStream(stream, signal)) {
        hash.update(chunk)
        parts.push(new Blob([new Uint8Array(chunk)]))
        bytes += chunk.byteLength
        onProgress?.({ phase: 'hashing', bytes, total: undefined })
      }
      return { ...blobSource(new Blob(parts)), sha256: hash.hex() }
    },
  }
}
