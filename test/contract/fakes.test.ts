/** The fakes keep the promises of the ports, so that a rule tested on them is tested on the truth. */
import { fakeBlobStore } from '#support/fake-blob-store'
import { fakeLedger } from '#support/fake-ledger'
import { describeBlobStore } from './blob-store.ts'
import { describeLedger } from './ledger.ts'

describeBlobStore('in memory', async () => {
  let now = Date.parse('2026-11-23T04:00:00.000Z')
  const blobs = fakeBlobStore({ clock: () => now })
  return {
    blobs,
    plant: async (blob, bytes) => blobs.plant(blob, bytes),
    send: blobs.send,
    passTime: async (milliseconds) => {
      now += milliseconds
    },
    close: async () => undefined,
  }
})

describeLedger(
  'in memory',
  async () => ({ ledger: fakeLedger(), reopen: async () => fakeLedger(), close: async () => undefined }),
  { cannotWitness: { reopen: 'a ledger in memory ends with its process' } },
)
