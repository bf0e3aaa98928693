/**
 * Writes the missing bytes of a download into its partial file: a large artifact by several ranges at once, each at its
 * place. Every byte is hashed, in order, while later ranges are still arriving.
 */
import type { FileHandle } from 'node:fs/promises'
import type { ArtifactRef } from '../../domain/identifiers.ts'
import { MIB } from '../../domain/limits.ts'
import { runAtOnce } from '../../flow/run-at-once.ts'
import { Semaphore } from '../../flow/semaphore.ts'
import { AdaptiveConcurrency } from '../transfer/adaptive-concurrency.ts'
import { type Download, digestMismatch, RangesIgnoredError, type ReadOptions } from '../transfer/download.ts'
import type { TransferOptions } from '../transfer/progress.ts'
import { type ByteSpan, GRANULE_BYTES, type PartialFile } from './partial-file.ts'
import { createSha256 } from './sha256.ts'

/** From this size on several ranges are fetched at once. */
const PARALLEL_BYTES = 64 * MIB
/** Long enough for a connection to reach its full speed, and to make asking where the bytes are a small part of the time. */
const RANGE_BYTES = 16 * MIB
const READ_BYTES = MIB
/** Bytes that arrived ahead of those before them, and wait in memory to be hashed: of the ranges of three more connections. */
const KEPT_BYTES = 3 * RANGE_BYTES
/** Smaller chunks on average take too much memory to be kept. */
const LEAST_KEPT_CHUNK_BYTES = 4 * 1024

/**
 * Granules are written whole and once: the file keeps exactly the bytes that were hashed, even if a server sends others later.
 *
 * @returns the SHA-256 of the filled file, 64 hex digits.
 * @throws BucketError `digest_mismatch` when more bytes arrive than the artifact has; what the download throws; the
 * system's error.
 */
export async function fillFile(
  file: PartialFile,
  ref: ArtifactRef,
  download: Download,
  { onProgress, signal = new AbortController().signal }: TransferOptions,
): Promise<string> {
  const { size, digest } = download
  const spans = file.missing(size >= PARALLEL_BYTES ? RANGE_BYTES : Number.POSITIVE_INFINITY)
  const concurrency = new AdaptiveConcurrency()
  let arrived = file.writtenBytes
  const hash = new OrderedHash(file, size, signal, (bytes) => {
    if (arrived >= size) onProgress?.({ phase: 'verifying', bytes, total: size })
  })
  // Linux lets one write at a time change a file, and each thread that waits for its turn keeps a processor busy.
  const writer = new Semaphore(1)
  let syncing = Promise.resolve()

  async function fetchSpan({ start, end }: ByteSpan, options: ReadOptions): Promise<void> {
    const report = (bytes: number) => {
      arrived = Math.min(size, arrived + bytes)
      onProgress?.({ phase: 'downloading', bytes: arrived, total: size })
    }
    for await (const { granule, chunks } of granules(
      download.read(start, end, options),
      start,
      size,
      report,
    )) {
      options.signal.throwIfAborted()
      if (granule * GRANULE_BYTES >= size)
        throw digestMismatch(ref, digest, undefined, `more than its ${size} bytes arrived`)
      if (file.isWritten(granule)) continue
      await writer.run(options.signal, async () => {
        await writeAll(file.handle, chunks, granule * GRANULE_BYTES)
        hash.offer(chunks, granule * GRANULE_BYTES)
        await file.mark(granule)
      })
      hash.advance()
    }
    concurrency.succeeded(end - start)
    // The disk works while the rest is arriving; the sync before the file gets its name then finds little left to do.
    syncing = syncing.then(() => file.handle.datasync())
    syncing.catch(() => {})
  }

  onProgress?.({ phase: 'downloading', bytes: arrived, total: size })
  hash.advance()
  try {
    await runAtOnce(spans, concurrency, signal, (span, stop) => fetchSpan(span, { signal: stop }))
  } catch (error) {
    if (!(error instanceof RangesIgnoredError)) throw error
    const [missing] = file.missing(Number.POSITIVE_INFINITY)
    arrived = missing?.start ?? size
    if (missing) await fetchSpan({ start: missing.start, end: size }, { signal, sequential: true })
  }
  await syncing
  return await hash.hex()
}

/** Cuts a stream that begins at a granule into granules. Bytes after `size` come as a granule of their own. */
async function* granules(
  source: AsyncIterable<Uint8Array>,
  start: number,
  size: number,
  onBytes: (count: number) => void,
): AsyncGenerator<{ granule: number; chunks: readonly Uint8Array[] }, void> {
  let chunks: Uint8Array[] = []
  let at = start
  for await (const chunk of source) {
    for (let from = 0; from < chunk.byteLength; ) {
      const granule = Math.floor(at / GRANULE_BYTES)
      const end = at >= size ? Number.POSITIVE_INFINITY : Math.min(size, (granule + 1) * GRANULE_BYTES)
      const piece = chunk.subarray(from, from + end - at)
      chunks.push(piece)
      at += piece.byteLength
      from += piece.byteLength
      if (at < end && end !== Number.POSITIVE_INFINITY) continue
      yield { granule: end > size ? Math.ceil(size / GRANULE_BYTES) : granule, chunks }
      chunks = []
    }
    onBytes(chunk.byteLength)
  }
}

/**
 * The hash of a file that is written out of order. Bytes that arrive ahead of others wait in memory, or, beyond `KEPT_BYTES`, are read
 * again, mostly from the system's cache.
 */
class OrderedHash {
  readonly #file: PartialFile
  readonly #size: number
  readonly #signal: AbortSignal
  readonly #onHashed: (bytes: number) => void
  readonly #hash = createSha256()
  /** The bytes of granules that were written, by their positions. */
  readonly #kept = new Map<number, readonly Uint8Array[]>()
  #keptBytes = 0
  #buffer: Buffer | undefined
  #hashed = 0
  #reading: Promise<void> | undefined

  constructor(file: PartialFile, size: number, signal: AbortSignal, onHashed: (bytes: number) => void) {
    this.#file = file
    this.#size = size
    this.#signal = signal
    this.#onHashed = onHashed
  }

  /** A granule that was just written at a position. */
  offer(chunks: readonly Uint8Array[], position: number): void {
    const { end } = this.#file.granule(position / GRANULE_BYTES)
    if (position === this.#hashed && !this.#reading) this.#update(chunks)
    else if (this.#keptBytes + end - position > KEPT_BYTES) return
    else if (chunks.length * LEAST_KEPT_CHUNK_BYTES > end - position) return
    else {
      this.#kept.set(position, chunks)
      this.#keptBytes += end - position
    }
  }

  /** Hashes as far as the file was written without gaps. */
  advance(): void {
    if (this.#reading || !this.#canAdvance()) return
    this.#reading = this.#advance().finally(() => {
      this.#reading = undefined
    })
    // `hex` waits for it and reports its failure.
    this.#reading.catch(() => {})
  }

  async hex(): Promise<string> {
    do {
      this.advance()
      await this.#reading
    } while (this.#canAdvance())
    return this.#hash.hex()
  }

  #canAdvance(): boolean {
    return this.#hashed < this.#size && this.#file.isWritten(Math.floor(this.#hashed / GRANULE_BYTES))
  }

  async #advance(): Promise<void> {
    while (this.#canAdvance()) {
      this.#signal.throwIfAborted()
      const kept = this.#kept.get(this.#hashed)
      if (kept === undefined) await this.#readOn()
      else {
        this.#kept.delete(this.#hashed)
        this.#keptBytes -= this.#update(kept)
      }
      this.#onHashed(this.#hashed)
    }
  }

  async #readOn(): Promise<void> {
    this.#buffer ??= Buffer.allocUnsafeSlow(READ_BYTES)
    const { end } = this.#file.granule(Math.floor(this.#hashed / GRANULE_BYTES))
    const length = Math.min(READ_BYTES, end - this.#hashed)
    const { bytesRead } = await this.#file.handle.read(this.#buffer, 0, length, this.#hashed)
    if (bytesRead === 0) throw new Error('the file was truncated while it was written')
    this.#update([this.#buffer.subarray(0, bytesRead)])
  }

  /** @returns how many bytes these were. */
  #update(chunks: readonly Uint8Array[]): number {
    const from = this.#hashed
    for (const chunk of chunks) {
      this.#hash.update(chunk)
      this.#hashed += chunk.byteLength
    }
    return this.#hashed - from
  }
}

/** A write takes at most this many buffers (IOV_MAX of Linux); more come only from a server that sends a few bytes at a time. */
const MOST_BUFFERS = 1024

/** Writes the chunks one after the other, as they arrived, without copying them together. */
async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  const size = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const { bytesWritten: first } =
    chunks.length <= MOST_BUFFERS ? await handle.writev(chunks, position) : { bytesWritten: 0 }
  if (first === size) return
  const bytes = Buffer.concat(chunks)
  for (let at = first; at < size; ) {
    const { bytesWritten } = await handle.write(bytes, at, size - at, position + at)
    at += bytesWritten
  }
}
