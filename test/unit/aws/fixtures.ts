/** Artifacts for the tests of the AWS adapters, and how their bytes reach a store: with the verdict at the end. */
import type { Digest } from '../../../lib/domain/digest.ts'
import type { BlobId, Entry } from '../../../lib/domain/entry.ts'
import { parseRef } from '../../../lib/domain/refs.ts'
import { type VerifyingStream, verifyingStream } from '../../../lib/repository/verifying-stream.ts'
import * as artifacts from '../../support/fake-artifacts.ts'

export const { digestOf } = artifacts

/** Identifiers with every character that they may have, so that each encoding is tried. */
const TEXT = 'prod-models/llama_3.8b+lora:x/v3.1.0+a'
export const REF = parseRef(TEXT)

export const blobOf = (bytes: Uint8Array): BlobId => artifacts.blobOf(TEXT, bytes)

export const entryOf = (bytes: Uint8Array, over: Partial<Entry> = {}): Entry =>
  artifacts.entryOf(TEXT, bytes, over)

/** The bytes in chunks of 64 KiB, as a socket would bring them, checked against `digest`. */
export function verified(bytes: Uint8Array, digest: Digest = digestOf(bytes)): VerifyingStream {
  return verifyingStream(chunked(bytes), {
    digest,
    size: undefined,
    maxBytes: Number.POSITIVE_INFINITY,
    tooLarge: () => {
      throw new Error('there is no limit')
    },
  })
}

async function* chunked(bytes: Uint8Array) {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

/** Reproducible bytes that do not compress and differ everywhere. */
export function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = 0x2545f491
  for (let at = 0; at + 4 <= size; at += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes.writeInt32LE(state, at)
  }
  return bytes
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}
