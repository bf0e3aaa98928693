/** The folder keeps the promises of the ports of uploads. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFolder } from '../../lib/local/folder.ts'
import { sendTo } from '../support/endpoint-request.ts'
import { describeStaging } from './staging.ts'
import { describeUploads } from './uploads-table.ts'

const NOW = Date.parse('2026-11-23T04:00:00.000Z')

describeUploads('folder', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'bucket-contract-'))
  // Opening removes expired rows. At this time, the suite's rows have not expired.
  const open = () => openFolder(dataDir, { clock: () => NOW })
  let folder = await open()
  return {
    uploads: folder.uploads,
    async reopen() {
      await folder.close()
      folder = await open()
      return folder.uploads
    },
    async close() {
      await folder.close()
      await rm(dataDir, { recursive: true })
    },
  }
})

describeStaging('folder', async () => {
  let now = NOW
  const dataDir = await mkdtemp(join(tmpdir(), 'bucket-contract-'))
  const { staging, blobs, blobEndpoint, close } = await openFolder(dataDir, { clock: () => now })
  return {
    staging,
    blobs,
    send: async ({ method, url, headers }, body) =>
      (await sendTo(blobEndpoint, url, { method, headers, body })).status,
    passTime: async (milliseconds) => {
      now += milliseconds
    },
    async close() {
      await close()
      await rm(dataDir, { recursive: true })
    },
  }
})
