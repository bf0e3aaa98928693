/**
 * Reads a blob, whole or a range, in chunks, and closes the descriptor on every path. Bytes that a ledger entry promises and
 * the disk lacks are `unavailable`, never the end of the stream.
 */
import type { ByteRange } from '../domain/byte-range.ts'
import { BucketError } from '../domain/errors.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { closeFile, openFile, readAt, sizeAtPath, sizeOfFile } from './disk.ts'

/** Bytes of one read; a blob up to this size is read at once. */
const CHUNK_BYTES = 256 * 1024

/**
 * Opens the bytes of a file, or those of `range`.
 *
 * @throws BucketError `unavailable`, here when the file is missing or ends before the range, in the stream when a read fails.
 */
export async function readFile(
  path: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  signal?.throwIfAborted()
  if (range !== undefined && lengthOf(range) <= CHUNK_BYTES) return readShort(path, range)
  const size = await sizeAtPath(path)
  if (size === undefined) throw missing()
  const { first, last } = range ?? { first: 0, last: size - 1 }
  if (last >= size) throw shortened(size)
  // A stream that is never read holds no open descriptor.
  return abortableIterable(readLong(path, first, last + 1), signal)
}

const lengthOf = ({ first, last }: ByteRange) => last + 1 - first

async function readShort(path: string, range: ByteRange): Promise<AsyncIterable<Uint8Array>> {
  const fd = await mustOpen(path)
  try {
    const size = sizeOfFile(fd)
    if (range.last >= size) throw shortened(size)
    return once(await readExactly(fd, range.first, lengthOf(range)))
  } finally {
    await closeFile(fd)
  }
}

async function* once(chunk: Uint8Array) {
  if (chunk.byteLength > 0) yield chunk
}

/** Reads one chunk ahead, so that the disk works while the consumer does. */
async function* readLong(path: string, first: number, end: number) {
  const fd = await mustOpen(path)
  let ahead: Promise<Uint8Array> | undefined
  const readFrom = (position: number) => {
    if (position >= end) return undefined
    const reading = readExactly(fd, position, Math.min(CHUNK_BYTES, end - position))
    reading.catch(() => undefined) // it is awaited when the consumer comes back
    return reading
  }
  try {
    let position = first
    ahead = readFrom(position)
    while (ahead) {
      const chunk: Uint8Array = await ahead
      position += chunk.byteLength
      ahead = readFrom(position)
      yield chunk
    }
  } finally {
    // No read may use a descriptor after it was closed, because another file may have its number.
    await ahead?.catch(() => undefined)
    await closeFile(fd)
  }
}

async function readExactly(fd: number, position: number, length: number): Promise<Uint8Array> {
  const chunk = await readAt(fd, position, length)
  if (chunk.byteLength === length) return chunk
  throw BucketError.unavailable('a blob became shorter while it was read')
}

async function mustOpen(path: string): Promise<number> {
  const fd = await openFile(path)
  if (fd === undefined) throw missing()
  return fd
}

const missing = () => BucketError.unavailable('the bytes of a stored version are missing on disk')
const shortened = (size: number) =>
  BucketError.unavailable(`a blob has ${size} bytes on disk, fewer than it was stored with`)
