/**
 * The bytes of a download into a file: in order, or, for a large artifact, by several ranges at once, each at its place.
 * Either way every byte is hashed, in order, before the file counts as filled.
 */
import type { FileHandle } from 'node:fs/promises'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { MIB } from '../../domain/limits.ts'
import { AdaptiveConcurrency, runAtOnce } from '../transfer/adaptive-concurrency.ts'
import { assureDigest, type Download, type GetOptions } from '../transfer/download.ts'
import { createSha256 } from './sha256.ts'

/** From this size on several ranges are fetched at once. */
export const PARALLEL_BYTES = 64 * MIB
/** Long enough for a connection to reach its full speed, and to make asking where the bytes are a small part of the time. */
const RANGE_BYTES = 32 * MIB
const READ_BYTES = MIB
/** Chunks come in the size of a socket's reads; written one by one they would cost more than the bytes. */
const WRITE_BYTES = MIB / 2

/** @throws what the download throws, BucketError `digest_mismatch` among it; the system's error. */
export async function fillInOrder(handle: FileHandle, { bytes }: Download): Promise<void> {
  for await (const chunk of bytes) await handle.writeFile(chunk)
}

interface ByteSpan {
  readonly start: number
  /** Behind the last byte. */
  readonly end: number
}

/** @throws what `fillInOrder` throws; RangesIgnoredError. */
export async function fillByRanges(
  handle: FileHandle,
  ref: ArtifactRef,
  download: Download,
  { onProgress, signal }: GetOptions,
): Promise<void> {
  const { size, digest } = download
  const spans = Array.from({ length: Math.ceil(size / RANGE_BYTES) }, (_, at) => ({
    start: at * RANGE_BYTES,
    end: Math.min(size, (at + 1) * RANGE_BYTES),
  }))
  const hash = createSha256()
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const filled = new Set<number>()
  const concurrency = new AdaptiveConcurrency()
  let fetched = 0
  let hashed = 0

  /** What was written is read again from the system's memory, behind the ranges that are still coming. */
  async function hashSpan({ start, end }: ByteSpan): Promise<void> {
    for (let at = start; at < end; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, end - at), at)
      if (bytesRead === 0) throw new Error('the file is cut while it is written')
      hash.update(buffer.subarray(0, bytesRead))
      at += bytesRead
      hashed = at
      if (fetched === size) onProgress?.({ phase: 'verifying', bytes: hashed, total: size })
    }
  }

  let syncing = Promise.resolve()
  let hashing = Promise.resolve()
  let nextToHash = 0
  await runAtOnce(spans.entries(), concurrency, signal, async ([index, { start, end }], stop) => {
    let at = start
    for await (const bytes of batched(download.read(start, end, stop))) {
      stop.throwIfAborted()
      await writeAll(handle, bytes, at)
      at += bytes.byteLength
      fetched += bytes.byteLength
      onProgress?.({ phase: 'downloading', bytes: fetched, total: size })
    }
    concurrency.succeeded(end - start)
    filled.add(index)
    // The disk works while the rest is coming; the sync before the file gets its name then finds little left to do.
    syncing = syncing.then(() => handle.datasync())
    syncing.catch(() => {})
    for (let span = spans[nextToHash]; span && filled.has(nextToHash); span = spans[++nextToHash]) {
      const contiguous = span
      hashing = hashing.then(() => hashSpan(contiguous))
      // Whoever waits for all of them hears of it.
      hashing.catch(() => {})
    }
  })
  await Promise.all([hashing, syncing])
  assureDigest(ref, digest, hash)
}

async function* batched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes < WRITE_BYTES) continue
    yield Buffer.concat(chunks)
    chunks = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(chunks)
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.byteLength - at, position + at)
    at += bytesWritten
  }
}
