/**
 * One server for one folder: exclusive locks of the operating system on files in it. The kernel releases them when the process ends,
 * however it ends. Two files are locked, so that a second server is kept out even after one of them was removed.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { BucketError } from '../domain/errors.ts'
import { FolderRefused, LAYOUT } from './folder-format.ts'
import { statInPlace } from './in-place.ts'

export interface FolderLock {
  /** Locks the folder's format file, too. @throws FolderRefused when another process holds it. */
  lockFormat(): void
  /** @throws BucketError `unavailable` when the folder was moved, removed or replaced. */
  assertSameFolder(): void
  /** @throws BucketError `unavailable` when the folder or the locked file was moved, removed or replaced. */
  assertInPlace(): void
  release(): void
}

/** @throws FolderRefused when another process holds the folder. */
export function lockFolder(dataDir: string): FolderLock {
  const path = join(dataDir, LAYOUT.lock)
  const fds = [lockFile(dataDir, path, 'a+')]
  const [fd] = fds as [number]
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  const opened = { file: fstatSync(fd), folder: statSync(dataDir) }
  function assertSameFolder(): void {
    if (statInPlace(dataDir, opened.folder)) return
    throw BucketError.needsOperator(
      `${dataDir} isn't the folder that this server opened: it was moved, removed, replaced or mounted over`,
      'restart the server on the right folder',
    )
  }
  return {
    assertSameFolder,
    lockFormat() {
      fds.push(lockFile(dataDir, join(dataDir, LAYOUT.format), 'r+'))
    },
    assertInPlace() {
      if (statInPlace(path, opened.file)) return
      assertSameFolder()
      throw BucketError.needsOperator(
        `the file ${path} was removed or replaced: nothing is stored until the server is restarted`,
        'restart the server, which makes the file',
      )
    },
    release() {
      for (const each of fds) closeSync(each)
    },
  }
}

function lockFile(dataDir: string, path: string, flags: string): number {
  const fd = openSync(path, flags, 0o600)
  try {
    if (loadTryLock()(fd)) return fd
    const pid = readFileSync(join(dataDir, LAYOUT.lock), 'latin1').trim()
    throw new FolderRefused(
      `the folder ${dataDir} is in use by another process${/^\d+$/.test(pid) ? ` (pid ${pid})` : ''}: a server, or a command such as fsck`,
      'If it is a server, stop it first. If it is a command, wait until it ends.',
    )
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** The package has prebuilt files for glibc, macOS and Windows only, and fails to load elsewhere. */
function loadTryLock(): (fd: number) => boolean {
  try {
    const { tryLock }: typeof import('fs-native-extensions') = createRequire(import.meta.url)(
      'fs-native-extensions',
    )
    return tryLock
  } catch (error) {
    throw new FolderRefused(
      `file locks do not work on this system (${process.platform}, ${process.arch}), and without one two servers could write to one folder: ${error instanceof Error ? error.message.split('\n')[0] : error}`,
      'Run Bucket on macOS, Windows or a Linux with glibc: in a container, for example node:22-slim instead of node:22-alpine.',
    )
  }
}
