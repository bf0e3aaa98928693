/**
 * The target of a download, checked before any request. Only a file is ever replaced: replacing anything else that has a name (a device, a
 * pipe, a folder, a mount point) would destroy it or fail after everything was fetched.
 */
import { constants } from 'node:fs'
import { access, open, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { digestHex } from '../../domain/digest.ts'
import { errorCode } from '../../flow/error-code.ts'
import type { Expected } from '../transfer/download.ts'
import type { TransferOptions } from '../transfer/progress.ts'
import { createSha256 } from './sha256.ts'

export interface DownloadTarget {
  /** As given, for messages. */
  readonly path: string
  /** The file itself, not a symlink to it. */
  readonly file: string
  /** The existing file. */
  readonly existing: { readonly size: number; readonly mode: number } | undefined
}

/** Thrown before anything is fetched, if no download can go to this path. */
export class TargetError extends Error {
  override readonly name = 'TargetError'
  /**
   * The code of the system: `ENOENT` for an empty path, `EISDIR` for a folder, `EINVAL` for a device, a pipe or a socket, `EBUSY` for a
   * mount point, `EEXIST` for a file with other bytes.
   */
  readonly code: 'ENOENT' | 'EISDIR' | 'EINVAL' | 'EBUSY' | 'EEXIST'
  readonly next: string

  constructor(
    code: TargetError['code'],
    message: string,
    next = 'Name a file, or a path that does not exist yet.',
  ) {
    super(message)
    this.code = code
    this.next = next
  }
}

const PERMISSIONS = 0o777
const READ_BYTES = 1024 * 1024

/**
 * Checks a path.
 *
 * @throws TargetError; the system's error if the path or its folder cannot be used (`EACCES`, `ENOENT`, `ELOOP`, `ENAMETOOLONG`, …).
 */
export async function downloadTarget(path: string): Promise<DownloadTarget> {
  const shown = JSON.stringify(path)
  if (path === '') throw new TargetError('ENOENT', 'the path to download to is empty')
  // Follows symlinks, including /dev/stdout, whose target may be a pipe without a path.
  const found = await ifThere(stat(path))
  if (found?.isDirectory() || (!found && path.endsWith('/')))
    throw new TargetError('EISDIR', `${shown} is a folder, not a file`)
  if (found && !found.isFile())
    throw new TargetError('EINVAL', `${shown} is not a regular file and would be replaced by one`)
  // The folder is not resolved again: a caller may have opened it, to bound where files are written.
  const file = await afterSymlinks(path)
  if (found && (await isMountPoint(await realpath(file))))
    throw new TargetError(
      'EBUSY',
      `${shown} is a mount point and cannot be replaced`,
      'Download next to it, or write the bytes to it from a stream.',
    )
  const folder = dirname(file)
  await access(folder, constants.W_OK | constants.X_OK).catch((error) => {
    throw aboutPath(error, path)
  })
  return { path, file, existing: found && { size: found.size, mode: found.mode & PERMISSIONS } }
}

/** Whether the existing file has these bytes. Reads all of it if its size matches. */
export async function hasBytesOf(
  { file, existing }: DownloadTarget,
  { digest, size }: Expected,
  { onProgress, signal }: TransferOptions,
): Promise<boolean> {
  if (existing?.size !== size) return false
  const hash = createSha256()
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const handle = await open(file, 'r')
  try {
    for (let bytes = 0; ; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, bytes)
      if (bytesRead === 0) return hash.hex() === digestHex(digest)
      hash.update(buffer.subarray(0, bytesRead))
      bytes += bytesRead
      onProgress?.({ phase: 'verifying', bytes, total: size })
    }
  } finally {
    await handle.close()
  }
}

/** A system error with the path that the caller knows: `CODE: what, call 'path'`. */
export function aboutPath(error: unknown, path: string): unknown {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return error
  const [what] = error.message.split(" '")
  return Object.assign(new Error(`${what} '${path}'`, { cause: error }), { code: error.code, path })
}

/** The target of a symlink may be another symlink, or a path that does not exist yet. */
async function afterSymlinks(path: string): Promise<string> {
  // EINVAL: not a symlink.
  const link = await ifThere(readlink(path), 'EINVAL')
  if (link === undefined) return path
  return await afterSymlinks(isAbsolute(link) ? link : join(await realpath(dirname(path)), link))
}

/** A single file may be a mount point (a bind mount, as in containers): proc_pid_mountinfo(5). */
async function isMountPoint(file: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  const written = file.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
  return mounts.split('\n').some((line) => line.split(' ')[4] === written)
}

/** @returns undefined if the system reports that the path does not exist. */
export async function ifThere<T>(
  look: Promise<T>,
  ...alsoNothing: readonly string[]
): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    const code = errorCode(error) ?? ''
    if (code === 'ENOENT' || alsoNothing.includes(code)) return undefined
    throw error
  }
}
