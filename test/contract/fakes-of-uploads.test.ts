/** The fakes of the ports of uploads keep the promises of the ports, so that tests of the rules on them are valid. */
import { fakeBlobStore } from '../support/fake-blob-store.ts'
import { fakeStaging } from '../support/fake-staging.ts'
import { fakeUploads } from '../support/fake-uploads.ts'
import { describeStaging } from './staging.ts'
import { describeUploads } from './uploads-table.ts'

describeUploads(
  'in memory',
  async () => ({ uploads: fakeUploads(), reopen: async () => fakeUploads(), close: async () => undefined }),
  { cannotWitness: { reopen: 'a table in memory ends with its process' } },
)

describeStaging('in memory', async () => {
  let now = Date.parse('2026-11-23T04:00:00.000Z')
  const clock = () => now
  const blobs = fakeBlobStore({ clock })
  const staging = fakeStaging({ blobs, clock })
  return {
    staging,
    blobs,
    send: staging.send,
    passTime: async (milliseconds) => {
      now += milliseconds
    },
    close: async () => undefined,
  }
})
