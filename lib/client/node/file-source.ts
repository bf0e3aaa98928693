/** A path as a source: a file is read in place; anything else that yields bytes is spooled. */
import { type FileHandle, type FileReadResult, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIB, partSize } from '../../domain/limits.ts'
import { ArtifactHash } from '../transfer/artifact-hash.ts'
import type { TransferOptions } from '../transfer/progress.ts'
import { type ByteStream, readStream, type Source, SourceChangedError } from '../transfer/source.ts'
import { createSha256 } from './sha256.ts'

/**
 * Opens a file. A pipe or a device is spooled, and so is a non-empty file that reports size 0: the bytes of `/proc` are generated on
 * reading.
 *
 * @param file a path, or a file that the caller has opened and checked; the source closes it.
 * @throws the system's error if it cannot be opened or is a folder.
 */
export async function fileSource(
  file: string | FileHandle,
  { onProgress, signal }: TransferOptions = {},
): Promise<Source> {
  const handle = typeof file === 'string' ? await open(file, 'r') : file
  const name = typeof file === 'string' ? file : 'the file'
  try {
    const stat = await handle.stat()
    if (stat.isFile() && (stat.size > 0 || !(await hasBytes(handle, 0))))
      return await handleSource(handle, name, () => handle.close())
    // Reading a folder gives the system's own EISDIR.
    return await spool(handle.createReadStream(), { onProgress, signal })
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Bytes of one read; one is read ahead. */
const CHUNK_BYTES = MIB / 2

/** Whether there is a byte at this position, because not every file system reports the true size. */
async function hasBytes(handle: FileHandle, position: number): Promise<boolean> {
  const { bytesRead } = await handle.read(Buffer.allocUnsafe(1), 0, 1, position)
  return bytesRead > 0
}

/** @param release frees the handle and what belongs to it. */
export async function handleSource(
  handle: FileHandle,
  name: string,
  release: () => Promise<void>,
): Promise<Source> {
  const before = await handle.stat({ bigint: true })
  const size = Number(before.size)
  const changed = async () => {
    const now = await handle.stat({ bigint: true })
    return now.size !== before.size || now.mtimeNs !== before.mtimeNs || (await hasBytes(handle, size))
  }
  const changedError = () => new SourceChangedError(`${name} changed while it was read`)
  /** Reads one chunk ahead, so that the disk works while the reader does. */
  async function* read(start: number, end: number, buffer: (length: number) => Buffer) {
    const readAt = (at: number) => {
      const chunk = buffer(Math.min(CHUNK_BYTES, end - at))
      const reading = handle.read(chunk, 0, chunk.byteLength, at)
      reading.catch(() => {}) // it is awaited when its chunk is due
      return reading
    }
    let ahead = start < end ? readAt(start) : undefined
    try {
      for (let at = start; ahead !== undefined; ) {
        const { bytesRead, buffer: chunk }: FileReadResult<Buffer> = await ahead
        ahead = undefined
        if (bytesRead === 0) throw changedError()
        at += bytesRead
        if (at < end) ahead = readAt(at)
        else if (await changed()) throw changedError()
        yield chunk.subarray(0, bytesRead)
      }
      if (start === end && (await changed())) throw changedError()
    } finally {
      await ahead?.catch(() => {})
    }
  }
  return {
    size,
    open: (start = 0, end = size) => read(start, end, (length) => Buffer.allocUnsafeSlow(length)),
    lend(start = 0, end = size) {
      let [next, other]: (Buffer | undefined)[] = []
      return read(start, end, (length) => {
        // No later chunk is longer than the first one.
        const buffer = next ?? Buffer.allocUnsafeSlow(length)
        ;[next, other] = [other, buffer]
        return buffer.subarray(0, length)
      })
    },
    dispose: release,
  }
}

/** @throws the system's error if the temporary folder has no space; the stream's own error; the reason of `signal`. */
export async function spool(
  stream: ByteStream,
  { onProgress, signal }: TransferOptions = {},
): Promise<Source> {
  const folder = await mkdtemp(join(tmpdir(), 'bucket-'))
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  const handle = await open(join(folder, 'spooled'), 'wx+', 0o600).finally(removeFolder)
  try {
    // The size, and so the size of parts, is not known yet.
    const hash = new ArtifactHash(createSha256, partSize(0))
    let bytes = 0
    for await (const chunk of readStream(stream, signal)) {
      hash.update(chunk)
      await handle.writeFile(chunk)
      bytes += chunk.byteLength
      onProgress?.({ phase: 'hashing', bytes, total: undefined })
    }
    const source = await handleSource(handle, 'the spooled stream', () => handle.close())
    return { ...source, ...hash.digests() }
  } catch (error) {
    await handle.close()
    throw error
  }
}
