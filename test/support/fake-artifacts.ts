/** Artifacts for tests: references, bytes with their digest, entries, rows of uploads, and streams cut into chunks of any size. */
import { hash } from 'node:crypto'
import { type Digest, digestFromHex } from '../../lib/domain/digest.ts'
import type { BlobId, Entry } from '../../lib/domain/entry.ts'
import { parseRef } from '../../lib/domain/refs.ts'
import type { UploadRecord } from '../../lib/repository/upload-ports.ts'
import { openRecord } from '../../lib/repository/upload-record.ts'
import { described } from './described.ts'

export const digestOf = (bytes: Uint8Array): Digest => digestFromHex(hash('sha256', bytes))

/** `size` bytes without repetitions at the length of a chunk; the same `seed` gives the same bytes. */
export function someBytes(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = seed >>> 0 || 1
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

/** @param text `bucket_id/artifact_id/version`. */
export const blobOf = (text: string, bytes: Uint8Array): BlobId => ({
  ref: parseRef(text),
  digest: digestOf(bytes),
})

/** @param text `bucket_id/artifact_id/version`. */
export const entryOf = (text: string, bytes: Uint8Array, over: Partial<Entry> = {}): Entry => ({
  ...blobOf(text, bytes),
  size: bytes.byteLength,
  ...described(),
  createdAt: '2026-11-23T04:00:00.000Z',
  ...over,
})

/** The row of an upload in parts that has just begun. `size` is in bytes. */
export const recordOf = (id: BlobId, size: number, over: Partial<UploadRecord> = {}): UploadRecord => ({
  ...openRecord(
    { id, size, mode: 'multipart', description: described() },
    'an-attempt',
    'a-place',
    Date.parse('2026-11-23T04:00:00.000Z'),
    undefined,
  ),
  ...over,
})

/** Yields `bytes` in chunks of these sizes, in a cycle. */
export async function* inChunks(bytes: Uint8Array, ...sizes: readonly number[]) {
  let at = 0
  for (let turn = 0; at < bytes.byteLength; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.byteLength
    yield bytes.subarray(at, at + size)
    at += size
  }
}

const PIECE_BYTES = 64 * 1024

/** Yields `bytes` as a store in memory sends them. */
export async function* pieces(bytes: Uint8Array, signal: AbortSignal | undefined) {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    signal?.throwIfAborted()
    yield bytes.subarray(at, at + PIECE_BYTES)
  }
}

/** Collects a stream. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}
