/**
 * Where a download goes, known before anything is asked for. Only a file is ever replaced: what else has a name on a file
 * system (a device, a pipe, a folder) would be destroyed by being replaced, and a link would no longer be one.
 */
import { readlink, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'

export interface DownloadTarget {
  /** As it was given, for messages. */
  readonly path: string
  /** The file itself, behind all links. */
  readonly file: string
  /** The permissions of the file that is replaced; nothing where there is none yet. */
  readonly mode: number | undefined
}

/** Thrown before anything is fetched: at the path of a download no file can be. */
export class TargetError extends Error {
  override readonly name = 'TargetError'
  /** As the system says it: `ENOENT` for no path at all, `EISDIR` for a folder, `EINVAL` for a device, a pipe or a socket. */
  readonly code: 'ENOENT' | 'EISDIR' | 'EINVAL'
  readonly next = 'Name a file, or a path where nothing is yet.'

  constructor(code: TargetError['code'], message: string) {
    super(message)
    this.code = code
  }
}

const PERMISSIONS = 0o777

/**
 * Looks at what is at a path.
 *
 * @throws TargetError; the system's error when the path cannot be looked at (`EACCES`, `ELOOP`, `ENAMETOOLONG`, …).
 */
export async function downloadTarget(path: string): Promise<DownloadTarget> {
  if (path === '') throw new TargetError('ENOENT', 'the path to download to is empty')
  // Follows links, those of /dev/stdout too, which lead to what has no path.
  const there = await ifThere(stat(path))
  if (there?.isDirectory() || (!there && path.endsWith('/')))
    throw new TargetError('EISDIR', `${JSON.stringify(path)} is a folder, not a file`)
  if (there && !there.isFile())
    throw new TargetError('EINVAL', `${JSON.stringify(path)} is no file: it would be replaced by one`)
  return {
    path,
    file: there ? await realpath(path) : await behindLinks(path),
    mode: there && there.mode & PERMISSIONS,
  }
}

/** A link may lead to where nothing is yet. */
async function behindLinks(path: string): Promise<string> {
  // What is no link is EINVAL.
  const link = await ifThere(readlink(path), 'EINVAL')
  if (link === undefined) return path
  return await behindLinks(isAbsolute(link) ? link : join(await realpath(dirname(path)), link))
}

/** @returns nothing when the system says that there is nothing. */
async function ifThere<T>(look: Promise<T>, ...alsoNothing: readonly string[]): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT' || alsoNothing.includes(code)) return undefined
    throw error
  }
}
