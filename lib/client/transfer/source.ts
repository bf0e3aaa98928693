/**
 * Bytes to be stored. They are read at least twice, from any position: the digest is sent before them, and a broken attempt restarts. A
 * source can therefore be opened repeatedly, and the platform spools streams first.
 */
import { raceAbort } from '../../flow/abort.ts'

export interface Source {
  /** Bytes. */
  readonly size: number
  /**
   * The bytes from position `start` (0 when left out) up to, not including, `end` (the size when left out). Throws if they have changed
   * since the source was made, before the last of them is yielded, so that a receiver never gets as many bytes as it was promised.
   */
  open(start?: number, end?: number): AsyncIterable<Uint8Array>
  /**
   * The same bytes as `open` gives, in chunks that share a few buffers: each is valid until the next one is read. Passing a large file
   * then makes no garbage. Without this method, `open` is used.
   */
  readonly lend?: (start?: number, end?: number) => AsyncIterable<Uint8Array>
  /** Their SHA-256 as 64 hex digits, if it was computed when the source was made. */
  readonly sha256?: string
  /** The same of each part, in the sizes that uploads have (docs/http-api.md, section 7). */
  readonly partSha256s?: readonly string[]
  /** The same bytes, if the platform's `fetch` can send them directly. */
  readonly blob?: Blob
  /** Frees the resources of the source: a file descriptor, a temporary file. */
  dispose(): Promise<void>
}

/** Thrown to the reader of a source whose bytes changed. Nothing was stored. */
export class SourceChangedError extends Error {
  override readonly name = 'SourceChangedError'
  readonly next = 'Store it again when no program writes to it any more, or store a copy.'
}

/** A wrong number of bytes is a change, too. */
const otherLength = (found: string, size: number) =>
  new SourceChangedError(`the source gives ${found} than the ${size} bytes that it promised`)

/**
 * All bytes of a source, never more than its size: a server would parse surplus bytes on a keep-alive connection as another request, and
 * every later response would belong to the wrong request. The last chunk is held until the source has ended, so that no receiver gets the
 * full number of bytes from a source with a wrong size. Each chunk is valid until the next one is read.
 *
 * @throws SourceChangedError if there are more or fewer bytes than its `size`; errors of the source.
 */
export async function* exactLength(source: Source): AsyncGenerator<Uint8Array, void> {
  const { size } = source
  let bytes = 0
  let last: Uint8Array | undefined
  for await (const chunk of source.lend?.() ?? source.open()) {
    if (chunk.byteLength === 0) continue
    bytes += chunk.byteLength
    if (bytes > size) throw otherLength('more', size)
    if (bytes === size) last = chunk
    else yield chunk
  }
  if (bytes !== size) throw otherLength('fewer', size)
  if (last) yield last
}

type Bytes = ArrayBuffer | ArrayBufferView

/** A stream of bytes, read once. */
export type ByteStream = ReadableStream<Bytes> | AsyncIterable<Bytes>

const nothingToFree = async () => {}

/** @param bytes not copied, so they must not change until they are stored. */
export function bytesSource(bytes: Uint8Array): Source {
  return {
    size: bytes.byteLength,
    async *open(start = 0, end = bytes.byteLength) {
      yield bytes.subarray(start, end)
    },
    dispose: nothingToFree,
  }
}

/** The bytes of a Blob, streamed from the platform's own storage. */
export function blobSource(blob: Blob): Source {
  return {
    size: blob.size,
    open: (start = 0, end = blob.size) => readStream(blob.slice(start, end).stream()),
    blob,
    dispose: nothingToFree,
  }
}

/** The bytes of `source` from `start` up to, not including, `end`: a part of it, valid as long as the source. */
export function sliceSource(source: Source, start: number, end: number): Source {
  const { lend } = source
  return {
    size: end - start,
    open: (from = 0, to = end - start) => source.open(start + from, start + to),
    ...(lend && { lend: (from = 0, to = end - start) => lend(start + from, start + to) }),
    ...(source.blob && { blob: source.blob.slice(start, end) }),
    dispose: nothingToFree,
  }
}

/**
 * Reads a stream by its reader, because not every browser can iterate a web stream.
 *
 * @throws TypeError if the stream gives anything but bytes: text would be stored in another form than the bytes it was made from; the reason
 * of `signal` as soon as it aborts, even while the stream stalls.
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
      yield bytesOf(next.value)
    }
  } finally {
    const returned = Promise.resolve(chunks.return?.())
    // A stalled stream may never finish its cancellation, so that is not awaited.
    if (signal?.aborted) returned.catch(() => {})
    else await returned
  }
}

/** @returns the same memory, not a copy. */
function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  const kind = chunk === null ? 'null' : typeof chunk
  const advice = kind === 'string' ? ': open it without an encoding' : ''
  throw new TypeError(`the stream gives ${kind} values, not bytes${advice}`)
}

async function* readWebStream(stream: ReadableStream<Bytes>): AsyncGenerator<Bytes, void> {
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
