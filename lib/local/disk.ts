/** The file system calls of the local stores. Each throws what its failure means to the caller of a port (disk-error.ts). */
import { createHash, type Hash } from 'node:crypto'
import fs from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { errorCode } from '../flow/error-code.ts'
import { diskError, onDisk, throwDiskError } from './disk-error.ts'

const open = promisify(fs.open)
const close = promisify(fs.close)
const fchmod = promisify(fs.fchmod)
const fsync = promisify(fs.fsync)
const ftruncate = promisify(fs.ftruncate)
const mkdir = promisify(fs.mkdir)
const rename = promisify(fs.rename)
const lstat = promisify(fs.lstat)
const unlink = promisify(fs.unlink)

/** Up to this many bytes, a synchronous write into the page cache is cheaper than one through the thread pool. */
const DIRECT_BYTES = 64 * 1024

/** Opens a new file for writing. Its mode permits no further writes after this descriptor is closed. */
export const createFile = (path: string): Promise<number> =>
  open(path, 'wx', 0o444).catch((error: unknown) => {
    throw diskError(error, dirname(path))
  })

/** Creates a sparse file of `size` bytes, durably except for its name; its owner may write into it. */
export async function createSparseFile(path: string, size: number): Promise<void> {
  try {
    const fd = await open(path, 'wx', 0o600)
    try {
      await ftruncate(fd, size)
      await fsync(fd)
    } finally {
      await close(fd)
    }
  } catch (error) {
    throw diskError(error, dirname(path))
  }
}

/** Opens a file for writing into it; undefined if it does not exist. */
export async function openFile(path: string): Promise<number | undefined> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw diskError(error)
  }
}

export const closeFile = (fd: number): Promise<void> => close(fd).catch(throwDiskError)

/** A blob is a regular file. Opening anything else must neither follow a symlink nor wait for the other end of a pipe. */
const BLOB_FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0)
/** The system's codes for a name that no regular file has: nothing is there, or a symlink, or a socket. */
const NO_BLOB: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ELOOP', 'ENXIO'])

/** Opens the file of a blob for reading; undefined if no regular file has the name. */
export async function openBlob(
  path: string,
): Promise<{ readonly fd: number; readonly size: number } | undefined> {
  let fd: number
  try {
    fd = await open(path, BLOB_FLAGS)
  } catch (error) {
    if (NO_BLOB.has(errorCode(error))) return undefined
    throw diskError(error)
  }
  try {
    const stats = fs.fstatSync(fd)
    if (stats.isFile()) return { fd, size: stats.size }
  } catch (error) {
    await close(fd).catch(() => undefined)
    throw diskError(error)
  }
  await closeFile(fd)
  return undefined
}

/**
 * Reads a whole blob on the main thread, for tools that read one file after the other: three changes of thread would take longer than
 * reading a small file.
 *
 * @returns undefined if no regular file has the name, or if the file does not have this size.
 */
export function readBlobHere(path: string, size: number): Uint8Array | undefined {
  try {
    const fd = fs.openSync(path, BLOB_FLAGS)
    try {
      const stats = fs.fstatSync(fd)
      const bytes = Buffer.allocUnsafe(size)
      return stats.isFile() && stats.size === size && fs.readSync(fd, bytes, 0, size, 0) === size
        ? bytes
        : undefined
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    if (NO_BLOB.has(errorCode(error))) return undefined
    throw diskError(error)
  }
}

/** The size of a blob's file in bytes; undefined if no regular file has the name. */
export async function sizeOfBlob(path: string): Promise<number | undefined> {
  try {
    const stats = await lstat(path)
    return stats.isFile() ? stats.size : undefined
  } catch (error) {
    if (NO_BLOB.has(errorCode(error))) return undefined
    throw diskError(error)
  }
}

/**
 * Writes all of `pieces`: a file system may write fewer bytes than it was given.
 * @param position in the file; undefined for the position after the last write of this descriptor.
 */
export async function writeAll(
  fd: number,
  pieces: readonly Uint8Array[],
  position: number | undefined,
): Promise<void> {
  let rest = pieces.filter(({ byteLength }) => byteLength > 0)
  let at = position
  try {
    while (rest.length > 0) {
      const written = await writeSome(fd, rest, at ?? null)
      rest = without(rest, written)
      if (at !== undefined) at += written
    }
  } catch (error) {
    throw diskError(error)
  }
}

const writeSome = (
  fd: number,
  pieces: readonly Uint8Array[],
  position: number | null,
): number | Promise<number> =>
  pieces.reduce((sum, { byteLength }) => sum + byteLength, 0) <= DIRECT_BYTES
    ? fs.writevSync(fd, pieces, position ?? undefined)
    : new Promise((resolve, reject) => {
        fs.writev(fd, pieces, position, (error, written) => (error ? reject(error) : resolve(written)))
      })

/** The rest of `pieces` after their first `bytes`. */
function without(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  return pieces.flatMap((piece) => {
    const skipped = Math.min(skip, piece.byteLength)
    skip -= skipped
    return skipped === piece.byteLength ? [] : [piece.subarray(skipped)]
  })
}

/** Makes the bytes of an open file durable, with the metadata that is needed to read them. */
export const syncFile = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    fs.fdatasync(fd, (error) => (error ? reject(diskError(error)) : resolve()))
  })

/** `syncFile` on this thread: nothing else runs until the disk has the bytes. */
export const syncFileHere = (fd: number): void => onDisk(() => fs.fdatasyncSync(fd))

/** Makes a file read-only and durable. */
export async function sealFile(path: string): Promise<void> {
  try {
    const fd = await open(path, 'r')
    try {
      await fchmod(fd, 0o444)
      await fsync(fd)
    } finally {
      await close(fd)
    }
  } catch (error) {
    throw diskError(error)
  }
}

/** Reads up to `length` bytes at `position` into a buffer of their own; fewer only at the end of the file. */
export async function readAt(fd: number, position: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length)
  const filled = await readInto(fd, buffer, 0, length, position)
  return filled === length ? buffer : buffer.subarray(0, filled)
}

/**
 * Reads up to `length` bytes at `position` into `buffer` at `offset`.
 *
 * @returns the number of bytes; fewer than `length` only at the end of the file.
 */
export async function readInto(
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  let filled = 0
  while (filled < length) {
    const count = await readSome(fd, buffer, offset + filled, length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled
}

const readSome = (
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, length, position, (error, count) =>
      error ? reject(diskError(error)) : resolve(count),
    )
  })

/** SHA-256 of an open file's first `length` bytes. */
export async function hashFile(fd: number, length: number): Promise<Hash> {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(Math.min(1024 * 1024, Math.max(length, 1)))
  for (let at = 0; at < length; ) {
    const read = await readInto(fd, chunk, 0, Math.min(chunk.length, length - at), at)
    if (read === 0) break
    hash.update(chunk.subarray(0, read))
    at += read
  }
  return hash
}

/** Cuts an open file at `size` bytes, durably. */
export async function truncateFile(fd: number, size: number): Promise<void> {
  try {
    await ftruncate(fd, size)
    await fsync(fd)
  } catch (error) {
    throw diskError(error)
  }
}

/** Gives a file its final name, replacing an existing file of that name. */
export const renameFile = (from: string, to: string): Promise<void> => rename(from, to).catch(throwDiskError)

/** Removes a temporary file. If that fails, the next start removes it; the failure must not hide the first one. */
export const removeTemporary = (path: string): Promise<void> => unlink(path).catch(() => undefined)

/** Removes a file. @returns false when there was none. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw diskError(error)
  }
}

/**
 * Creates a folder for its owner only, and its parents. Node's own recursive call never ends where the system refuses new names with ENOENT,
 * as below /proc.
 *
 * @returns the first folder that was made; undefined when all exist.
 * @throws the system's error.
 */
export function makeFolders(path: string): string | undefined {
  const found = fs.statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return undefined
  const first = found ? undefined : makeFolders(dirname(path))
  fs.mkdirSync(path, { mode: 0o700 })
  return first ?? path
}

/** Creates a folder in an existing parent; an existing folder is not an error. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw diskError(error, dirname(path))
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  try {
    // The folder was just written to: opening it waits for no disk.
    const fd = fs.openSync(path, 'r')
    try {
      await fsync(fd)
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    throw diskError(error)
  }
}
