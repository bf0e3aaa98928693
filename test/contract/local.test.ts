/** The folder keeps the promises of the ports. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { blobFolder, blobName } from '#local/blob-names'
import { openFolder } from '#local/folder'
import { describeBlobStore } from './blob-store.ts'
import { describeLedger } from './ledger.ts'

describeBlobStore(
  'folder',
  async () => {
    let now = Date.parse('2026-11-23T04:00:00.000Z')
    const dataDir = await mkdtemp(join(tmpdir(), 'bucket-contract-'))
    const folder = await openFolder(dataDir, { clock: () => now })
    return {
      blobs: folder.blobs,
      async plant(blob, bytes) {
        const path = join(blobFolder(join(dataDir, 'blobs'), blob), blobName(blob))
        await mkdir(dirname(path), { recursive: true })
        await writeFile(path, bytes)
      },
      async send({ method, url, headers }, options = {}) {
        const { pathname } = new URL(url, 'http://127.0.0.1')
        const request = new Request(new URL(url, 'http://127.0.0.1'), {
          method,
          headers: { ...headers, ...options.headers },
          body: options.body ? Buffer.from(options.body) : null,
        })
        const response = folder.blobEndpoint(request, { rawPath: pathname })
        if (!response) throw new Error(`the blob endpoint does not know ${pathname}`)
        return response
      },
      passTime: async (milliseconds) => {
        now += milliseconds
      },
      async close() {
        await folder.close()
        await rm(dataDir, { recursive: true })
      },
    }
  },
  { cannotWitness: { 'presigned put': 'the blob endpoint takes no PUT yet' } },
)

describeLedger('folder', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'bucket-contract-'))
  let folder = await openFolder(dataDir)
  return {
    ledger: folder.ledger,
    async reopen() {
      await folder.close()
      folder = await openFolder(dataDir)
      return folder.ledger
    },
    async close() {
      await folder.close()
      await rm(dataDir, { recursive: true })
    },
  }
})
