/**
 * Bytes to be stored. They are read at least twice (the digest goes ahead of them, and a broken attempt begins anew),
 * so a source can be opened again and again; a stream is therefore spooled first, by the platform.
 */
import { untilAborted } from './deadline.ts'
import type { Sha256 } from './platform.ts'
import type { OnProgress } from './progress.ts'

export interface Source {
  /** Bytes. */
  readonly size: number
  /**
   * All bytes from the first. Throws when they are no longer what they were when the source was made, and then before
   * the last of them is given out: a receiver never gets as many bytes as it was promised.
   */
  open(): AsyncIterable<Uint8Array>
  /** Their SHA-256 as 64 hex digits, where it was computed when the source was made. */
  readonly sha256?: string
  /** The same bytes, where the platform's `fetch` can send them by itself. */
  readonly blob?: Blob
  /** Frees what the source holds: a file descriptor, a temporary. */
  dispose(): Promise<void>
}

/** Thrown into whoever reads a source whose bytes are no longer those of the beginning. Nothing was stored. */
export class SourceChangedError extends Error {
  override readonly name = 'SourceChangedError'
  readonly next = 'Store it again when nothing writes to it any more, or store a copy.'
}

/** A stream of bytes, read once. */
export type ByteStream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

const nothingToFree = async () => {}

export function bytesSource(bytes: Uint8Array): Source {
  return {
    size: bytes.byteLength,
    async *open() {
      yield bytes
    },
    dispose: nothingToFree,
  }
}

export function blobSource(blob: Blob): Source {
  return {
    size: blob.size,
    open: () => readStream(blob.stream()),
    blob,
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
      const next = await untilAborted(chunks.next(), signal)
      if (next.done) return
      yield next.value
    }
  } finally {
    const returned = Promise.resolve(chunks.return?.())
    // A stream that gives nothing does not end either: nobody waits for it.
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

/** @returns the SHA-256 of a source, 64 hex digits: what is known already, else from reading all of it. */
export async function hashSource(
  source: Source,
  hash: Sha256,
  onProgress: OnProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (source.sha256 !== undefined) return source.sha256
  let bytes = 0
  for await (const chunk of source.open()) {
    signal?.throwIfAborted()
    hash.update(chunk)
    bytes += chunk.byteLength
    onProgress?.({ phase: 'hashing', bytes, total: source.size })
  }
  return hash.hex()
}
