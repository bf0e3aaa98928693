/**
 * Reads a blob, whole or a range, in chunks, and closes the descriptor on every path. Bytes that a ledger entry promises and
 * the disk lacks are `blob_lost`, never the end of the stream.
 */
import { createHash } from 'node:crypto'
import type { ByteRange } from '../domain/byte-range.ts'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { Allowance } from '../flow/allowance.ts'
import type { Pourable } from '../flow/pourable.ts'
import { WholeBytes } from '../flow/whole-bytes.ts'
import { closeFile, openBlob, readAt, readInto, sizeOfBlob } from './disk.ts'
import { SMALL_BLOB_BYTES } from './ledger/record.ts'

/** Bytes of one read; a blob up to this size is read at once. */
const CHUNK_BYTES = 256 * 1024

/** The chunks of all large blobs that are being read: with many slow receivers, each has small ones. */
const MEMORY = new Allowance({ total: 32 * 1024 * 1024, most: CHUNK_BYTES, least: 32 * 1024 })

/**
 * Opens the bytes of a file, or those of `range`.
 *
 * @param digest of the whole file. A file of at most 16 KiB is hashed before any of its bytes are served, which takes about 10 µs.
 * @throws BucketError, here or in the stream: `blob_lost` when the file is missing, ends before the range or has another digest;
 *   `unavailable` when a read fails. A symlink is not followed: it counts as missing, as anything else that is not a regular file.
 */
export async function readFile(
  path: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
  digest?: Digest,
): Promise<AsyncIterable<Uint8Array>> {
  signal?.throwIfAborted()
  if (range !== undefined && lengthOf(range) <= CHUNK_BYTES) return readShort(path, range, digest)
  const size = await sizeOfBlob(path)
  if (size === undefined) throw missing(path)
  const { first, last } = range ?? { first: 0, last: size - 1 }
  if (last >= size) throw shortened(path, size)
  return long(path, first, last + 1, signal)
}

const lengthOf = ({ first, last }: ByteRange) => last + 1 - first

async function readShort(
  path: string,
  range: ByteRange,
  digest: Digest | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const { fd, size } = await mustOpen(path)
  try {
    if (range.last >= size) throw shortened(path, size)
    if (digest === undefined || size > SMALL_BLOB_BYTES)
      return new WholeBytes(await readExactly(path, fd, range.first, lengthOf(range)))
    const whole = await readExactly(path, fd, 0, size)
    const found = digestFromHex(createHash('sha256').update(whole).digest('hex'))
    if (found !== digest)
      throw BucketError.blobLost(
        'the bytes of a stored version are damaged on disk',
        `${path} has the digest ${found}`,
      )
    return new WholeBytes(whole.subarray(range.first, range.last + 1))
  } finally {
    await closeFile(fd)
  }
}

/** A stream that is never read holds no open descriptor. */
const long = (path: string, first: number, end: number, signal: AbortSignal | undefined): Pourable => ({
  [Symbol.asyncIterator]: () => abortableIterable(readLong(path, first, end), signal),
  pour: (write) => pourLong(path, first, end, write, signal),
})

/** Buffers of `CHUNK_BYTES` that no stream uses. */
const spareBuffers: Buffer[] = []
const MAX_SPARE_BUFFERS = 16

/** Reads one buffer while the other is written, or hashed: the read is under way before `write` is called. */
async function pourLong(
  path: string,
  first: number,
  end: number,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { fd } = await mustOpen(path)
  const size = MEMORY.share
  const newBuffer = () =>
    (size === CHUNK_BYTES ? spareBuffers.pop() : undefined) ?? Buffer.allocUnsafeSlow(size)
  const buffers = [newBuffer(), newBuffer()] as const
  MEMORY.take(2 * size)
  const read = async (buffer: Buffer, position: number) => {
    const length = Math.min(size, end - position)
    const count = await readInto(fd, buffer, 0, length, position)
    if (count < length) throw shortened(path, position + count)
    return buffer.subarray(0, length)
  }
  let reading: Promise<Uint8Array> | undefined
  let writing: Promise<void> = Promise.resolve()
  try {
    reading = read(buffers[0], first)
    for (let position = first, turn = 0; position < end; turn = 1 - turn) {
      const chunk = await reading
      // The buffer that is read next was written before.
      await writing
      signal?.throwIfAborted()
      position += chunk.byteLength
      if (position < end) {
        reading = read(buffers[1 - turn] ?? buffers[0], position)
        reading.catch(() => undefined) // it is awaited in the next turn
      }
      writing = write(chunk)
      writing.catch(() => undefined) // it is awaited in the next turn
    }
    await writing
    // After a failure, a write may still need its buffer.
    if (size === CHUNK_BYTES && spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(...buffers)
  } finally {
    MEMORY.give(2 * size)
    // No read may use a descriptor after it was closed, because another file may have its number.
    await reading?.catch(() => undefined)
    await closeFile(fd)
  }
}

/** Reads one chunk ahead, so that the disk works while the consumer does. */
async function* readLong(path: string, first: number, end: number) {
  const { fd } = await mustOpen(path)
  let ahead: Promise<Uint8Array> | undefined
  let held = 0
  const readFrom = (position: number) => {
    if (position >= end) return undefined
    const length = Math.min(MEMORY.share, end - position)
    held += length
    MEMORY.take(length)
    const reading = readExactly(path, fd, position, length)
    reading.catch(() => undefined) // it is awaited at the consumer's next read
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
      held -= chunk.byteLength
      MEMORY.give(chunk.byteLength)
    }
  } finally {
    MEMORY.give(held)
    // No read may use a descriptor after it was closed, because another file may have its number.
    await ahead?.catch(() => undefined)
    await closeFile(fd)
  }
}

async function readExactly(path: string, fd: number, position: number, length: number): Promise<Uint8Array> {
  const chunk = await readAt(fd, position, length)
  if (chunk.byteLength === length) return chunk
  throw shortened(path, position + chunk.byteLength)
}

async function mustOpen(path: string): Promise<{ readonly fd: number; readonly size: number }> {
  const opened = await openBlob(path)
  if (opened === undefined) throw missing(path)
  return opened
}

const missing = (path: string) =>
  BucketError.blobLost(
    'the bytes of a stored version are missing on disk',
    `${path} does not exist or is not a regular file`,
  )
const shortened = (path: string, size: number) =>
  BucketError.blobLost(
    'the bytes of a stored version were cut short on disk',
    `${path} has ${size} bytes, fewer than it was stored with`,
  )
