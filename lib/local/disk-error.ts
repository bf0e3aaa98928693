/**
 * The translation of every failure of the file system, here and nowhere else. A full disk or an exhausted quota is
 * `insufficient_storage`; every other failure is `unavailable`, never "not found". It says whether a retry can help.
 */
import { statfsSync } from 'node:fs'
import { BucketError } from '../domain/errors.ts'
import { errorCode } from '../flow/error-code.ts'

/**
 * @param folder in which a name was to be made, to tell a disk that is out of inodes from a full one.
 * @returns what a failure of the file system means to the caller of a port.
 */
export function diskError(error: unknown, folder?: string): BucketError {
  if (error instanceof BucketError) return error
  const code = errorCode(error)
  if (code === 'ENOSPC' && folder !== undefined && isOutOfInodes(folder)) return outOfInodes(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new BucketError('insufficient_storage', spaceText(code, 'the data folder'), {}, { cause: error })
  const message = `the data folder failed (${code ?? 'unknown cause'})`
  return code !== undefined && LASTING.has(code)
    ? BucketError.needsOperator(message, REMEDY, error)
    : BucketError.unavailable(message, error)
}

/** Failures that last until a person acts: a broken or read-only disk, a limit of file sizes, permissions, a folder that was removed. */
const LASTING: ReadonlySet<string> = new Set([
  ...['EACCES', 'EFBIG', 'EIO', 'ELOOP', 'ENODEV', 'ENOENT', 'ENOTDIR', 'EPERM', 'EROFS'],
])
const REMEDY =
  'check the disk, the permissions and the files of the data folder (the log of the server has the cause), and restart the server'

const spaceText = (code: 'ENOSPC' | 'EDQUOT', folder: string): string =>
  code === 'ENOSPC' ? `the disk of ${folder} is full` : `the quota of ${folder} is exhausted`

/** @returns why nothing more can be written to a folder. */
export const whyFull = (folder: string, cause: unknown): string =>
  isOutOfInodes(folder)
    ? `the disk of ${folder} is out of inodes`
    : spaceText(errorCode(cause) === 'EDQUOT' ? 'EDQUOT' : 'ENOSPC', folder)

/** File systems without a fixed number of inodes say 0. */
function isOutOfInodes(folder: string): boolean {
  try {
    const { files, ffree } = statfsSync(folder)
    return files > 0 && ffree === 0
  } catch {
    return false
  }
}

export const outOfInodes = (cause?: unknown): BucketError<'insufficient_storage'> =>
  new BucketError(
    'insufficient_storage',
    'the disk of the data folder is out of inodes',
    {},
    {
      cause,
      next: 'Remove files from the disk of the data folder, or move the folder to a file system with more inodes; then send the request again.',
    },
  )

/** For `catch` of an asynchronous call. */
export const throwDiskError = (error: unknown): never => {
  throw diskError(error)
}

/** Makes a synchronous call of the file system. */
export function onDisk<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw diskError(error)
  }
}
