/** The requirements of the blob store suites on an implementation, and the steps that their tests share. */
import { expect, type TestContext } from 'vitest'
import type { Digest } from '../../lib/domain/digest.ts'
import type { BlobId } from '../../lib/domain/entry.ts'
import { BucketError } from '../../lib/domain/errors.ts'
import { formatRef } from '../../lib/domain/identifiers.ts'
import type { PresignedRequest } from '../../lib/domain/upload.ts'
import type { BlobStore } from '../../lib/repository/ports.ts'
import { verifyingStream } from '../../lib/repository/verifying-stream.ts'
import { described } from '../support/described.ts'
import { collect, digestOf, inChunks } from '../support/fake-artifacts.ts'

/** The steps that a suite needs from an implementation, in addition to the port itself. */
export interface BlobStoreUnderTest {
  readonly blobs: BlobStore
  /** Puts bytes under a final name without the port, as another program with access to the store would. */
  plant(blob: BlobId, bytes: Uint8Array): Promise<void>
  /** Sends a presigned request verbatim, with `headers` in addition to its own. */
  send(
    request: PresignedRequest,
    options?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: Uint8Array },
  ): Promise<Response>
  /** Advances the clock against which the store checks signatures. */
  passTime(milliseconds: number): Promise<void>
  close(): Promise<void>
}

/** The promises that an implementation, or an emulator of it, cannot show. */
export type BlobStoreProbe = 'plant' | 'presigned get' | 'presigned put' | 'expiry'

export interface BlobStoreSuiteOptions {
  /** Why a probe cannot be made here. Its tests are then counted skips with this reason. */
  readonly cannotWitness?: Readonly<Partial<Record<BlobStoreProbe, string>>>
}

let count = 0

/** @param store is called only inside of tests, because the store is made before the first one. */
export function blobStoreSteps(
  store: () => BlobStoreUnderTest,
  cannotWitness: NonNullable<BlobStoreSuiteOptions['cannotWitness']>,
) {
  const needs = (context: TestContext, ...probes: readonly BlobStoreProbe[]) => {
    const reason = probes.map((probe) => cannotWitness[probe]).find((text) => text !== undefined)
    context.skip(reason !== undefined, reason)
  }
  const freshName = () => `contract/artifact/v${count++}-${process.pid}`
  const write = (
    blob: BlobId,
    bytes: Uint8Array,
    {
      source = inChunks(bytes, 64 * 1024),
      size = bytes.byteLength,
      signal = undefined as AbortSignal | undefined,
    } = {},
  ) =>
    store().blobs.write(blob, verified(source, blob.digest, size), {
      size,
      description: described(),
      signal,
    })
  const readAll = async (blob: BlobId) => collect(await store().blobs.read(blob, undefined, undefined))
  const expectBytes = async (blob: BlobId, bytes: Uint8Array) =>
    expect(digestOf(await readAll(blob)), formatRef(blob.ref)).toBe(digestOf(bytes))
  const nothingThere = async (blob: BlobId) => {
    expect(await store().blobs.inspect(blob)).toEqual({ found: false })
    await expect(readAll(blob)).rejects.toMatchObject({ code: 'blob_lost' })
  }

  return { needs, freshName, write, expectBytes, nothingThere }
}

/** Bytes as the rules pass them to a store: the stream fails at its end if the digest differs. */
export const verified = (source: AsyncIterable<Uint8Array>, digest: Digest, size: number | undefined) =>
  verifyingStream(source, {
    digest,
    size,
    maxBytes: Number.MAX_SAFE_INTEGER,
    tooLarge: () => new BucketError('internal', 'no limit was set', {}),
  })
