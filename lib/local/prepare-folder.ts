/**
 * Everything in a data folder that must be right before its ledger is opened. A folder that is not there is made, and one of an earlier
 * format is moved to this one.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode } from '../flow/error-code.ts'
import { type BlobFiles, blobFiles } from './blob-files.ts'
import { assertHasBlobs } from './blobs-folder.ts'
import { makeFolders, syncFolder } from './disk.ts'
import { FolderRefused, initializeFolder, LAYOUT, readFormat, writeDurably } from './folder-format.ts'
import type { FolderLock } from './folder-lock.ts'
import type { FolderReport } from './folder-report.ts'
import { createLog } from './ledger/open-ledger.ts'
import { keepOldLedger, moveFromFormat1 } from './move-from-format-1.ts'

export interface PreparedFolder {
  readonly storeId: string
  /** Whether nothing was in it. */
  readonly isNew: boolean
  readonly files: BlobFiles
  /** Signs presigned requests. */
  readonly secret: Uint8Array
}

/** Makes the folder if it is not there. Only its owner can read it, because a reader of the folder can read every artifact. */
export async function makeDataFolder(root: string): Promise<void> {
  const first = makeFolders(root)
  if (first === undefined) return
  for (let made = root; made !== dirname(first); made = dirname(made)) await syncFolder(dirname(made))
}

/** @throws FolderRefused when the folder is damaged, or holds something else. */
export async function prepareFolder(
  root: string,
  lock: FolderLock,
  report: FolderReport,
): Promise<PreparedFolder> {
  const inside = (name: string) => join(root, name)
  const format = await readFormat(root)
  let storeId = format?.version === 2 ? format.storeId : undefined
  if (!format) storeId = await initializeFolder(root, createLog)
  await assertHasBlobs(root)
  for (const name of [LAYOUT.temporaries, LAYOUT.blobs, LAYOUT.staging])
    await mkdir(inside(name), { recursive: true })
  for (const from of [LAYOUT.temporaries, LAYOUT.staging]) assertOneFileSystem(root, from, LAYOUT.blobs)
  // The lock keeps every other server out, so existing temporary files were left by a dead process.
  await rm(inside(LAYOUT.temporaries), { recursive: true, force: true })
  await mkdir(inside(LAYOUT.temporaries))
  const files = blobFiles(inside(LAYOUT.blobs))
  if (storeId === undefined) {
    const moved = await moveFromFormat1(root, files, () => inside(`${LAYOUT.temporaries}/moved`))
    storeId = moved.storeId
    report.moved(moved)
  }
  await keepOldLedger(root)
  lock.lockFormat()
  return { storeId, isNew: format === undefined, files, secret: await folderSecret(root) }
}

/** A blob gets its final name by a rename, which is possible only within one mounted file system. */
function assertOneFileSystem(root: string, from: string, to: string): void {
  const [probe, target] = [join(root, from, '.probe'), join(root, to, '.probe')]
  try {
    writeFileSync(probe, '')
    renameSync(probe, target)
  } catch (error) {
    rmSync(probe, { force: true })
    const code = errorCode(error)
    // A full disk can still be read from.
    if (code === 'ENOSPC' || code === 'EDQUOT') return
    if (code !== 'EXDEV') throw error
    throw new FolderRefused(
      `${join(root, to)} is on another file system than ${join(root, from)}, and no file can be renamed from one to the other`,
      'Put the whole data folder on one file system: mount it at the folder itself, not at a folder in it.',
    )
  }
  rmSync(target)
}

/**
 * The key that signs presigned requests. It is made once, so that a restart does not invalidate requests that are still valid.
 */
async function folderSecret(root: string): Promise<Uint8Array> {
  const path = join(root, LAYOUT.secret)
  if (!existsSync(path)) await writeDurably(root, LAYOUT.secret, `${randomBytes(32).toString('hex')}\n`)
  const secret = readFileSync(path, 'latin1')
  if (/^[0-9a-f]{64}\n$/.test(secret)) return Buffer.from(secret.trim(), 'hex')
  throw new FolderRefused(
    `the secret in ${path} is damaged`,
    'Remove that file: the next start makes a new one, and presigned requests that were handed out before become invalid.',
  )
}
