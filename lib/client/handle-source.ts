/**
 * An open file as a source. It stays open from the first look to the last byte, so that a rename cannot swap it; a file
 * whose size or time changes meanwhile, or that has bytes behind its size, is noticed before its last bytes are given out.
 */
import type { FileHandle } from 'node:fs/promises'
import { MIB } from '../domain/limits.ts'
import { type Source, SourceChangedError } from './source.ts'

const CHUNK_BYTES = MIB / 2

/** Whether there is a byte at this position: not every file system tells the size of what it gives. */
export async function hasBytes(handle: FileHandle, position: number): Promise<boolean> {
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
  return {
    size,
    async *open(start = 0, end = size) {
      let at = start
      while (at < end) {
        const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - at))
        const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, at)
        if (bytesRead === 0) throw changedError()
        at += bytesRead
        if (at === end && (await changed())) throw changedError()
        yield buffer.subarray(0, bytesRead)
      }
      if (start === end && (await changed())) throw changedError()
    },
    dispose: release,
  }
}
