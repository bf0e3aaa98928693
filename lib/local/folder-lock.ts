/**
 * One server for one folder: an exclusive lock of the operating system on a file in it.
 * The kernel frees it when the process ends, however it ends; the pid in the file is only there for the message.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { FolderRefused, LAYOUT } from './folder-format.ts'

/**
 * @returns a function that gives the folder free.
 * @throws FolderRefused when another server holds the folder.
 */
export function lockFolder(dataDir: string): () => void {
  const path = join(dataDir, LAYOUT.lock)
  const fd = openSync(path, 'a+', 0o600)
  try {
    if (!tryLock(fd)) {
      const pid = readFileSync(path, 'latin1').trim()
      throw new FolderRefused(
        `the folder ${dataDir} is in use by another server${/^\d+$/.test(pid) ? ` (process ${pid})` : ''}`,
        'Stop that server first, or name another folder with --data-dir.',
      )
    }
    ftruncateSync(fd)
    writeSync(fd, `${process.pid}\n`)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return () => closeSync(fd)
}
