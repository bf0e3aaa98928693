/** The fakes keep the promises of the ports, so that tests of the rules on them are valid. */
import { describe, expect, it } from 'vitest'
import { described } from '../support/described.ts'
import { blobOf, collect, entryOf, inChunks, someBytes } from '../support/fake-artifacts.ts'
import { fakeBlobStore } from '../support/fake-blob-store.ts'
import { fakeLedger } from '../support/fake-ledger.ts'
import { faultyBlobStore, faultyLedger, numbered } from '../support/faulty-ports.ts'
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

describe('a faulty port', () => {
  const entry = entryOf('b/a/v', someBytes(1))
  const error = new Error('injected')

  it.each([
    ['before', undefined],
    ['after', entry],
  ] as const)('fails %s a call, and leaves the state that this implies', async (when, left) => {
    const ledger = fakeLedger()
    const calls: string[] = []
    const plan = numbered((call) => {
      calls.push(`${call.number} ${call.method}`)
      return call.method === 'append' ? { when, error } : undefined
    })
    const faulty = faultyLedger(ledger, plan)
    await faulty.check()
    await expect(faulty.append(entry, 'commit')).rejects.toBe(error)
    expect(await ledger.find(entry.ref)).toEqual(left)
    expect(calls).toEqual(['1 check', '2 append'])
  })

  it('passes every call through, for any port, if no failure is planned', async () => {
    const blobs = faultyBlobStore(
      fakeBlobStore(),
      numbered(() => undefined),
    )
    const bytes = someBytes(100)
    const blob = blobOf('b/a/v', bytes)
    const options = { size: 100, description: described({ contentType: 'text/plain' }), signal: undefined }
    expect(await blobs.write(blob, inChunks(bytes, 30), options)).toBe('written')
    expect(await collect(await blobs.read(blob, { first: 1, last: 5 }, undefined))).toEqual(bytes.slice(1, 6))
  })
})
