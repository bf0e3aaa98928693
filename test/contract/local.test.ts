/** The folder keeps the promises of the ports. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { blobFolder, blobName } from '../../lib/local/blob-names.ts'
import { openFolder } from '../../lib/local/folder.ts'
import { sendTo } from '../support/endpoint-request.ts'
import { describeBlobStore } from './blob-store.ts'
import { describeLedger } from './ledger.ts'

describeBlobStore('folder', async () => {
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
    send: ({ method, url, headers }, { headers: more, body } = {}) =>
      sendTo(folder.blobEndpoint, url, { method, headers: { ...headers, ...more }, ...(body && { body }) }),
    passTime: async (milliseconds) => {
      now += milliseconds
    },
    async close() {
      await folder.close()
      await rm(dataDir, { recursive: true })
    },
  }
})

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
