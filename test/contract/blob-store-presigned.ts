/** The promises of every blob store for its presigned requests, as S3 keeps them (docs/http-api.md, sections 5 and 7.1). */
import { describe, expect, it } from 'vitest'
import { described } from '../support/described.ts'
import { blobOf, digestOf, entryOf, someBytes } from '../support/fake-artifacts.ts'
import { type BlobStoreSuiteOptions, type BlobStoreUnderTest, blobStoreSteps } from './blob-store-steps.ts'

/** @param store is called only inside of tests. */
export function describePresignedRequests(
  store: () => BlobStoreUnderTest,
  cannotWitness: NonNullable<BlobStoreSuiteOptions['cannotWitness']>,
): void {
  describe('presigned requests', () => {
    const { needs, freshName, write, expectBytes, nothingThere } = blobStoreSteps(store, cannotWitness)
    const description = described({ contentType: 'text/x-model; charset=utf-8' })

    it('return the bytes with the headers of the entry', async (context) => {
      needs(context, 'presigned get')
      const bytes = someBytes(400_000)
      const entry = entryOf('presigned/Model:7B/v1+x', bytes, description)
      await write(entry, bytes)
      const response = await store().send(await store().blobs.presignGet(entry, 60))
      expect(response.status).toBe(200)
      expect(digestOf(new Uint8Array(await response.arrayBuffer()))).toBe(entry.digest)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': description.contentType,
        'content-length': '400000',
        'content-disposition': 'attachment; filename="Model:7B-v1+x"',
        'cache-control': 'private, max-age=31536000, immutable',
      })
    })

    it.for([
      ['bytes=0-9', 'bytes 0-9/1000', 0, 10],
      ['bytes=990-', 'bytes 990-999/1000', 990, 1000],
      ['bytes=500-5000', 'bytes 500-999/1000', 500, 1000],
    ] as const)('return the range %s', async ([range, contentRange, first, end], context) => {
      needs(context, 'presigned get')
      const bytes = someBytes(1000)
      const entry = entryOf('presigned/a/ranges', bytes)
      await write(entry, bytes)
      const response = await store().send(await store().blobs.presignGet(entry, 60), { headers: { range } })
      expect([response.status, response.headers.get('content-range')]).toEqual([206, contentRange])
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes.subarray(first, end))
    })

    it('refuse a range after the end', async (context) => {
      needs(context, 'presigned get')
      const bytes = someBytes(1000)
      const entry = entryOf(freshName(), bytes)
      await write(entry, bytes)
      const response = await store().send(await store().blobs.presignGet(entry, 60), {
        headers: { range: 'bytes=1000-' },
      })
      expect(response.status).toBe(416)
    })

    it('state their expiry, and fail after it', async (context) => {
      needs(context, 'presigned get', 'expiry')
      const bytes = someBytes(10)
      const entry = entryOf(freshName(), bytes)
      await write(entry, bytes)
      const request = await store().blobs.presignGet(entry, 2)
      expect(request.expiresAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      expect((await store().send(request)).status).toBe(200)
      await store().passTime(3000)
      expect((await store().send(request)).status).toBe(403)
    })

    it('store exactly the bytes of the digest, once', async (context) => {
      needs(context, 'presigned put')
      const bytes = someBytes(5000)
      const blob = blobOf(freshName(), bytes)
      const request = await store().blobs.presignPut(
        blob,
        bytes.byteLength,
        described({ contentType: 'text/plain' }),
        60,
      )
      expect((await store().send(request, { body: someBytes(5000, 2) })).status).toBe(400)
      await nothingThere(blob)
      expect((await store().send(request, { body: bytes })).status).toBe(200)
      expect(await store().blobs.inspect(blob)).toEqual({ found: true, size: 5000, attested: true })
      expect((await store().send(request, { body: bytes })).status).toBe(412)
      await expectBytes(blob, bytes)
    })

    it.each(['content-length', 'content-type', 'if-none-match', 'x-amz-checksum-sha256'])(
      'require the header %s of a store unchanged',
      async (header) => {
        const blob = blobOf(freshName(), someBytes(10))
        const request = await store().blobs.presignPut(blob, 10, described({ contentType: 'text/plain' }), 60)
        expect(Object.keys(request.headers).map((field) => field.toLowerCase())).toContain(header)
      },
    )

    it('refuse a store without a required header', async (context) => {
      needs(context, 'presigned put')
      const bytes = someBytes(10)
      const blob = blobOf(freshName(), bytes)
      const request = await store().blobs.presignPut(blob, 10, described({ contentType: 'text/plain' }), 60)
      const { 'if-none-match': _, ...headers } = request.headers
      expect((await store().send({ ...request, headers }, { body: bytes })).status).toBe(403)
      await nothingThere(blob)
    })
  })
}
