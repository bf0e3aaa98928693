/**
 * The file system as the blob store uses it: each call once, each failure translated here and nowhere else.
 * A full disk or an exhausted quota is `insufficient_storage`; every other failure is `unavailable`, never "not found".
 */
import fs from 'node:fs'
import { promisify } from 'node:util'
import { BucketError } from '#protocol/errors'

const open = promisify(fs.open)
const close = promisify(fs.close)
const fsync = promisify(fs.fsync)
const fdatasync = promisify(fs.fdatasync)
const mkdir = promisify(fs.mkdir)
const rename = promisify(fs.rename)
const unlink = promisify(fs.unlink)

/** Up to this many bytes a write into the page cache is cheaper than a trip through the thread pool. */
const DIRECT_BYTES = 64 * 1024

const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** @returns what a failure of the file system means to the caller of a port. */
export function diskError(error: unknown): BucketError {
  const code = errorCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new BucketError(
      'insufficient_storage',
      code === 'ENOSPC' ? 'the disk of the data folder is full' : 'the quota of the data folder is exhausted',
      {},
      { cause: error },
    )
  return BucketError.unavailable(`the data folder failed (${code ?? 'unknown cause'})`, error)
}

const translate = (error: unknown): never => {
  throw diskError(error)
}

/** Opens a new file for writing. Its mode lets nobody write to it again, once this descriptor is closed. */
export const createFile = (path: string): Promise<number> => open(path, 'wx', 0o444).catch(translate)

/** Opens a file for reading; nothing when there is none. */
export async function openFile(path: string): Promise<number | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw diskError(error)
  }
}

export const closeFile = (fd: number): Promise<void> => close(fd).catch(translate)

/** The size of an open file in bytes. @throws BucketError `unavailable` when it is no regular file. */
export function sizeOfFile(fd: number): number {
  try {
    const stats = fs.fstatSync(fd)
    if (stats.isFile()) return stats.size
  } catch (error) {
    throw diskError(error)
  }
  throw BucketError.unavailable('the name of a blob is taken by something that is no file')
}

/** Writes all of `pieces` behind what is written already: a file system may take fewer bytes than it was given. */
export async function append(fd: number, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = pieces.filter(({ byteLength }) => byteLength > 0)
  try {
    while (rest.length > 0) rest = without(rest, await writeSome(fd, rest))
  } catch (error) {
    throw diskError(error)
  }
}

const writeSome = (fd: number, pieces: readonly Uint8Array[]): number | Promise<number> =>
  pieces.reduce((sum, { byteLength }) => sum + byteLength, 0) <= DIRECT_BYTES
    ? fs.writevSync(fd, pieces)
    : new Promise((resolve, reject) => {
        fs.writev(fd, pieces, (error, written) => (error ? reject(error) : resolve(written)))
      })

/** What is left of `pieces` behind their first `bytes`. */
function without(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  return pieces.flatMap((piece) => {
    const skipped = Math.min(skip, piece.byteLength)
    skip -= skipped
    return skipped === piece.byteLength ? [] : [piece.subarray(skipped)]
  })
}

/** Makes the bytes of an open file durable, and what is needed to read them again. */
export const syncFile = (fd: number): Promise<void> => fdatasync(fd).catch(translate)

/** Reads up to `length` bytes at `position` into a buffer of their own; fewer only at the end of the file. */
export async function readAt(fd: number, position: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const count = await readSome(fd, buffer, filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled === length ? buffer : buffer.subarray(0, filled)
}

const readSome = (fd: number, buffer: Buffer, offset: number, position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, buffer.byteLength - offset, position, (error, count) =>
      error ? reject(diskError(error)) : resolve(count),
    )
  })

/** Gives a file its final name, in place of whatever had it. */
export const renameFile = (from: string, to: string): Promise<void> => rename(from, to).catch(translate)

/** Removes a temporary file. One that stays is removed at the next start: its failure must not hide the first one. */
export const removeTemporary = (path: string): Promise<void> => unlink(path).catch(() => undefined)

/** Makes a folder whose parent exists; that it is there already is no failure. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw diskError(error)
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
