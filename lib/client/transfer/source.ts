/**
 * Bytes to be stored. They are read at least twice (the digest is sent before them, and a broken attempt restarts),
 * from any position on, so a source can be opened again and again; a stream is therefore spooled first, by the platform.
 */
import { raceAbort } from '../../flow/abort.ts'

export interface Source {
  /** Bytes. */
  readonly size: number
  /**
   * The bytes from position `start` (0 when left out) up to, not including, `end` (the size when left out). Throws when
   * they are no longer what they were when the source was made, and then before the last of them is given out: a
   * receiver never gets as many bytes as it was promised.
   */
  open(start?: number, end?: number): AsyncIterable<Uint8Array>
  /** Their SHA-256 as 64 hex digits, where it was computed when the source was made. */
  readonly sha256?: string
  /** The same of each part, in the sizes that uploads have (docs/http-api.md, section 7). */
  readonly partSha256s?: readonly string[]
  /** The same bytes, where the platform's `fetch` can send them by itself. */
  readonly blob?: Blob
  /** Frees what the source holds: a file descriptor, a temporary. */
  dispose(): Promise<void>
}

/** Thrown to the reader of a source whose bytes changed. Nothing was stored. */
export class SourceChangedError extends Error {
  override readonly name = 'SourceChangedError'
  readonly next = 'Store it again when no program writes to it any more, or store a copy.'
}

/** Any other number of bytes than was promised is other bytes. */
const otherLength = (found: string, size: number) =>
  new SourceChangedError(`the source gives ${found} than the ${size} bytes that it promised`)

/**
 * All bytes of a source, never more than it promised: what is too much would stand on a kept connection as a request of
 * its own, and each answer after it would be taken for the answer to another question. The last piece is held until the
 * source has ended, so that no receiver has all that was promised of a source that does not keep to it.
 *
 * @throws SourceChangedError when there are more or fewer bytes than its `size`; what the source throws.
 */
export async function* exactLength(source: Source): AsyncGenerator<Uint8Array, void> {
  const { size } = source
  let bytes = 0
  let last: Uint8Array | undefined
  for await (const chunk of source.open()) {
    if (chunk.byteLength === 0) continue
    bytes += chunk.byteLength
    if (bytes > size) throw otherLength('more', size)
    if (bytes === size) last = chunk
    else yield chunk
  }
  if (bytes !== size) throw otherLength('fewer', size)
  if (last) yield last
}

/** A stream of bytes, read once. */
export type ByteStream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

const nothingToFree = async () => {}

/** @param bytes not copied: they must stay as they are until they are stored. */
export function bytesSource(bytes: Uint8Array): Source {
  return {
    size: bytes.byteLength,
    async *open(start = 0, end = bytes.byteLength) {
      yield bytes.subarray(start, end)
    },
    dispose: nothingToFree,
  }
}

/** The bytes of a Blob, read piece by piece from wherever the platform keeps them. */
export function blobSource(blob: Blob): Source {
  return {
    size: blob.size,
    open: (start = 0, end = blob.size) => readStream(blob.slice(start, end).stream()),
    blob,
    dispose: nothingToFree,
  }
}

/** The bytes of `source` from `start` up to, not including, `end`: a part of it, which lives as long as the source does. */
export function sliceSource(source: Source, start: number, end: number): Source {
  return {
    size: end - start,
    open: (from = 0, to = end - start) => source.open(start + from, start + to),
    ...(source.blob && { blob: source.blob.slice(start, end) }),
    dispose: nothingToFree,
  }
}

/**
 * Reads a stream piece by piece; not every browser can iterate a web stream.
 *
 * @throws the reason of `signal` as soon as it is aborted, also while the stream gives nothing.
 */
export async function* readStream(
  stream: ByteStream,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const chunks = 'getReader' in stream ? readWebStream(stream) : stream[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await raceAbort(() => chunks.next(), signal)
      if (next.done) return
      yield next.value
    }
  } finally {
    const returned = Promise.resolve(chunks.return?.())
    // A silent stream does not end either, so its end is not awaited.
    if (signal?.aborted) returned.catch(() => {})
    else await returned
  }
}

async function* readWebStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel()
  }
}
