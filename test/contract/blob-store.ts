/**
 * The promises of every blob store, as one suite that each implementation passes (lib/repository/ports.ts). It begins with
 * honesty probes: a store that accepts wrong bytes, or shows unfinished ones, fails before any other test counts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BlobStore } from '../../lib/repository/ports.ts'
import { described } from '../support/described.ts'
import { blobOf, collect, inChunks, someBytes } from '../support/fake-artifacts.ts'
import { describePresignedRequests } from './blob-store-presigned.ts'
import {
  type BlobStoreSuiteOptions,
  type BlobStoreUnderTest,
  blobStoreSteps,
  verified,
} from './blob-store-steps.ts'

const MIB = 1024 * 1024

/** @param makeStore is called once and returns an empty store. */
export function describeBlobStore(
  name: string,
  makeStore: () => Promise<BlobStoreUnderTest>,
  { cannotWitness = {} }: BlobStoreSuiteOptions = {},
): void {
  describe(`blob store: ${name}`, () => {
    let store: BlobStoreUnderTest
    let blobs: BlobStore

    beforeAll(async () => {
      store = await makeStore()
      blobs = store.blobs
    })
    afterAll(() => store?.close())

    const { needs, freshName, write, expectBytes, nothingThere } = blobStoreSteps(() => store, cannotWitness)

    describe('honesty probes', () => {
      it.each([5, 3 * MIB])('refuses %d wrong bytes, and gives nothing the final name', async (size) => {
        const blob = blobOf(freshName(), someBytes(size, 1))
        await expect(write(blob, someBytes(size, 2))).rejects.toMatchObject({ code: 'digest_mismatch' })
        await nothingThere(blob)
      })

      it.each([10, 9 * MIB])(
        'rethrows the error of a source that fails after %d bytes, and leaves nothing',
        async (size) => {
          const bytes = someBytes(size)
          const blob = blobOf(freshName(), bytes)
          const error = new Error('the connection broke')
          async function* broken() {
            yield* inChunks(bytes, 100_000)
            throw error
          }
          await expect(write(blob, bytes, { source: broken() })).rejects.toBe(error)
          await nothingThere(blob)
        },
      )

      it('shows nothing while bytes are arriving', async () => {
        const bytes = someBytes(2 * MIB)
        const blob = blobOf(freshName(), bytes)
        const seen: unknown[] = []
        async function* watched() {
          for await (const chunk of inChunks(bytes, 256 * 1024)) {
            yield chunk
            seen.push(await blobs.inspect(blob))
          }
        }
        await write(blob, bytes, { source: watched() })
        expect(seen).toEqual(Array(8).fill({ found: false }))
        await expectBytes(blob, bytes)
      })

      it('reports a blob that was never written as missing', async () => {
        await nothingThere(blobOf(freshName(), someBytes(1)))
      })

      it('does not trust bytes that another program put under a final name', async (context) => {
        needs(context, 'plant')
        const blob = blobOf(freshName(), someBytes(100, 1))
        await store.plant(blob, someBytes(100, 2))
        expect(await blobs.inspect(blob)).toEqual({ found: true, size: 100, attested: false })
      })

      it('never reports success while other bytes have the final name', async (context) => {
        needs(context, 'plant')
        const bytes = someBytes(100, 1)
        const blob = blobOf(freshName(), bytes)
        await store.plant(blob, someBytes(100, 2))
        const result = await write(blob, bytes)
        const state = await blobs.inspect(blob)
        if (result === 'written') await expectBytes(blob, bytes)
        else expect(state).toEqual({ found: true, size: 100, attested: false })
      })
    })

    describe('bytes', () => {
      it.each([
        ['zero bytes', 0, [1]],
        ['one byte', 1, [1]],
        ['1 KiB in one chunk', 1024, [1024]],
        ['10,000 bytes, one by one', 10_000, [1]],
        ['chunks of very different sizes', 3 * MIB, [1, 70_000, 3, 8192, 1_000_000, 17, 0, 4095]],
        ['12 MiB in chunks of 64 KiB', 12 * MIB, [64 * 1024]],
        ['6 MiB in one chunk', 6 * MIB, [6 * MIB]],
      ])('returns exactly the written bytes: %s', async (_, size, chunks) => {
        const bytes = someBytes(size, 7)
        const blob = blobOf(freshName(), bytes)
        expect(await write(blob, bytes, { source: inChunks(bytes, ...chunks) })).toBe('written')
        expect(await blobs.inspect(blob)).toEqual({ found: true, size, attested: true })
        await expectBytes(blob, bytes)
      })

      it('accepts a stream of unknown size', async () => {
        const bytes = someBytes(300_000)
        const blob = blobOf(freshName(), bytes)
        const source = verified(inChunks(bytes, 1000), blob.digest, undefined)
        await blobs.write(blob, source, {
          size: undefined,
          description: described({ contentType: 'text/plain' }),
          signal: undefined,
        })
        await expectBytes(blob, bytes)
      })

      it.each([
        ['the first byte', 0, 0],
        ['the last byte', 3_000_000 - 1, 3_000_000 - 1],
        ['a middle that crosses chunks', 200_001, 2_900_003],
        ['everything', 0, 3_000_000 - 1],
      ])('reads a range: %s', async (_, first, last) => {
        const bytes = someBytes(3_000_000)
        const blob = blobOf('contract/artifact/ranges', bytes)
        if (!(await blobs.inspect(blob)).found) await write(blob, bytes)
        const range = await collect(await blobs.read(blob, { first, last }, undefined))
        expect(Buffer.compare(range, bytes.subarray(first, last + 1))).toBe(0)
      })

      it('returns all bytes to a reader after another one stopped early', async () => {
        const bytes = someBytes(2 * MIB)
        const blob = blobOf(freshName(), bytes)
        await write(blob, bytes)
        for await (const chunk of await blobs.read(blob, undefined, undefined)) {
          expect(chunk.byteLength).toBeGreaterThan(0)
          break
        }
        await expectBytes(blob, bytes)
      })
    })

    describe('names', () => {
      const long = 'x'.repeat(128)
      const clashes: readonly (readonly string[])[] = [
        ['n/Model/v', 'n/model/v', 'N/model/v', 'n/model/V'],
        ['n/a:b/v', 'n/a_b/v', 'n/a.b/v', 'n/a+b/v', 'n/a-b/v'],
        ['n/a/b.', 'n/a/b', 'n/a/b..', 'n/a./b', 'n/a:/b', 'n/a_/b'],
        ['n/ab/c', 'n/a/bc', 'na/b/c'],
        [`n/a/${long}`, `n/a/${long.slice(1)}`, `n/a/${long.toUpperCase()}`, `n/a/${long.slice(1)}X`],
        [`${long}/${long}/${long}`, `${'Q'.repeat(128)}/${'Q'.repeat(128)}/${'Q'.repeat(127)}:`],
        [`n/a/${'Z'.repeat(127)}1`, `n/a/${'Z'.repeat(127)}2`, `n/a/${':'.repeat(127).replace(/^/, 'Z')}`],
      ]
      it.each(clashes.map((names) => [names.map((text) => shorten(text)).join('  '), names] as const))(
        'keeps apart %s',
        async (_, names) => {
          // The same bytes, and so the same digest, under every name: only the reference tells them apart.
          const bytes = someBytes(50, 3)
          const written: string[] = []
          for (const text of names) {
            expect(await blobs.inspect(blobOf(text, bytes)), text).toEqual({ found: false })
            await write(blobOf(text, bytes), bytes)
            written.push(text)
          }
          for (const text of written) await expectBytes(blobOf(text, bytes), bytes)
        },
      )

      it('keeps two digests of one reference separate', async () => {
        const text = freshName()
        const [one, other] = [someBytes(10, 1), someBytes(10, 2)]
        await write(blobOf(text, one), one)
        await write(blobOf(text, other), other)
        await expectBytes(blobOf(text, one), one)
        await expectBytes(blobOf(text, other), other)
      })
    })

    describe('races and retries', () => {
      it('keeps the bytes when they are written a second time', async () => {
        const bytes = someBytes(1000)
        const blob = blobOf(freshName(), bytes)
        await write(blob, bytes)
        expect(['written', 'exists']).toContain(await write(blob, bytes))
        expect(await blobs.inspect(blob)).toEqual({ found: true, size: 1000, attested: true })
        await expectBytes(blob, bytes)
      })

      it('keeps a stored blob when a later write of it fails', async () => {
        const bytes = someBytes(1000)
        const blob = blobOf(freshName(), bytes)
        await write(blob, bytes)
        const other = someBytes(1000, 9)
        // A store may know that the name is taken without reading the body.
        const result = await write(blob, other).catch((error: unknown) => error)
        if (result !== 'exists') expect(result).toMatchObject({ code: 'digest_mismatch' })
        await expectBytes(blob, bytes)
      })

      it('ends with one complete blob when ten writers write it at once', async () => {
        const bytes = someBytes(200_000)
        const blob = blobOf(freshName(), bytes)
        const results = await Promise.all(Array.from({ length: 10 }, () => write(blob, bytes)))
        expect(results).toContain('written')
        expect(await blobs.inspect(blob)).toEqual({ found: true, size: 200_000, attested: true })
        await expectBytes(blob, bytes)
      })

      it('writes many new artifacts at once', async () => {
        const bytes = someBytes(100)
        const names = Array.from({ length: 32 }, (_, index) => `crowd-${index % 4}/a${index % 8}/v${index}`)
        await Promise.all(names.map((text) => write(blobOf(text, bytes), bytes)))
        for (const text of names) await expectBytes(blobOf(text, bytes), bytes)
      })
    })

    describe('aborting', () => {
      it("stops a write whose source hangs, with the signal's reason, and leaves nothing", async () => {
        const bytes = someBytes(MIB)
        const blob = blobOf(freshName(), bytes)
        const controller = new AbortController()
        const reason = new Error('the caller went away')
        async function* hanging() {
          yield bytes.subarray(0, 700_000)
          controller.abort(reason)
          await new Promise(() => undefined)
        }
        await expect(write(blob, bytes, { source: hanging(), signal: controller.signal })).rejects.toBe(
          reason,
        )
        await nothingThere(blob)
      })

      it('does not begin a write whose signal has aborted', async () => {
        const bytes = someBytes(10)
        const blob = blobOf(freshName(), bytes)
        await expect(
          write(blob, bytes, { signal: AbortSignal.abort(new Error('too late')) }),
        ).rejects.toThrow('too late')
        await nothingThere(blob)
      })

      it("ends a read with the signal's reason", async () => {
        const bytes = someBytes(4 * MIB)
        const blob = blobOf(freshName(), bytes)
        await write(blob, bytes)
        const controller = new AbortController()
        const reading = (async () => {
          for await (const _ of await blobs.read(blob, undefined, controller.signal))
            controller.abort(new Error('enough'))
        })()
        await expect(reading).rejects.toThrow('enough')
      })
    })

    describePresignedRequests(() => store, cannotWitness)

    it('passes its health check', async () => {
      await expect(blobs.check()).resolves.toBeUndefined()
    })
  })
}

const shorten = (text: string) => (text.length > 40 ? `${text.slice(0, 20)}…${text.slice(-8)}` : text)
