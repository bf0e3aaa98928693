/**
 * The public entry of `lib/local`: opens a data folder as all the stores that the rules need, and the endpoint for presigned
 * requests. A folder is open at most once, on one machine. Before the first response, leftovers of an earlier process are
 * removed or resumed.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { BucketError, isBucketError } from '../domain/errors.ts'
import { UPLOAD_SECONDS } from '../domain/limits.ts'
import { errorCode } from '../flow/error-code.ts'
import { type DeliveryRecord, inProcessQueue } from '../repository/in-process-queue.ts'
import type { BlobStore, Clock, HealthCheck, Ledger, WholeWriter } from '../repository/ports.ts'
import type { Staging, Uploads, VerificationQueue } from '../repository/upload-ports.ts'
import { failVerification, verifyUpload } from '../repository/verify.ts'
import { type BlobEndpoint, createBlobEndpoint } from './blob-endpoint.ts'
import { nameFault } from './blob-fault.ts'
import { blobFiles } from './blob-files.ts'
import { assertHasBlobs } from './blobs-folder.ts'
import { findBlobsWithoutEntry } from './blobs-without-entry.ts'
import { cleanUp } from './clean-up.ts'
import { makeFolders, sizeOfBlob, syncFolder } from './disk.ts'
import { folderBlobs } from './folder-blobs.ts'
import { FolderRefused, initializeFolder, LAYOUT, readFormat, writeDurably } from './folder-format.ts'
import { type FolderLock, lockFolder } from './folder-lock.ts'
import { type FolderRecord, type FolderReport, folderReport } from './folder-report.ts'
import { folderStaging } from './folder-staging.ts'
import { assertRoomToStart, type FreeSpace, freeSpace } from './free-space.ts'
import { INDEX_FILES } from './ledger/log-index.ts'
import { createLog, openLedger } from './ledger/open-ledger.ts'
import { lmdbFault } from './lmdb-check.ts'
import { lmdbUploads } from './lmdb-uploads.ts'
import { keepOldLedger, moveFromFormat1 } from './move-from-format-1.ts'
import { resumeVerifications } from './resume-verifications.ts'
import { stagingTable } from './staging-table.ts'
import { openUploadTables } from './upload-tables.ts'

export { type FolderRecord, FolderRefused }

export interface Folder {
  readonly blobs: BlobStore
  readonly ledger: Ledger & WholeWriter
  readonly uploads: Uploads & HealthCheck
  readonly staging: Staging & HealthCheck
  /** Verifies in this process. */
  readonly queue: VerificationQueue
  /** Answers the requests that `blobs` and `staging` presigned. */
  readonly blobEndpoint: BlobEndpoint
  /**
   * Stops verifications, which the next opening resumes, and releases the folder after the last write. Call it when no request is in
   * progress.
   *
   * @throws FolderRefused when the folder, its ledger or its lock was moved, removed or replaced in the meantime.
   */
  close(): Promise<void>
}

export interface FolderOptions {
  /** The clock by which presigned requests, uploads and leases expire. */
  readonly clock?: Clock
  /** Receives one line for each verification, and the findings of opening the folder. */
  readonly log?: (record: DeliveryRecord | FolderRecord) => void
}

/** How often leftovers of uploads are removed, in milliseconds. */
const CLEAN_UP_MS = 3_600_000

/**
 * Opens `dataDir`, made if it is not there. A folder of an earlier format is moved to this one.
 *
 * @throws FolderRefused when another server has it, when it is damaged, or when it holds something else; errors of the file system as
 * they are.
 */
export async function openFolder(dataDir: string, options: FolderOptions = {}): Promise<Folder> {
  const root = resolve(dataDir)
  await makeDataFolder(root)
  const hasFiles = [INDEX_FILES.index, LAYOUT.uploads].every((name) => existsSync(join(root, name)))
  if (!hasFiles) await assertRoomToStart(root)
  const lock = lockFolder(root)
  try {
    return await openLocked(root, lock, options)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked(root: string, lock: FolderLock, options: FolderOptions): Promise<Folder> {
  const { clock = Date.now, log = () => undefined } = options
  const inside = (name: string) => join(root, name)
  const report = folderReport(root, clock, log)

  const { storeId, isNew, files, secret } = await prepareFolder(root, lock, report)
  const assertInPlace = () => {
    lock.assertInPlace()
    files.assertInPlace()
  }
  const {
    ledger,
    held,
    report: found,
    ...openedLedger
  } = await openLedger({
    dataDir: root,
    storeId,
    assertFolderInPlace: assertInPlace,
    async hasFile(entry) {
      const size = await sizeOfBlob(files.pathOf(entry)).catch(() => undefined)
      return size === entry.size
    },
    onFinding(finding) {
      if ('damage' in finding) return report.ledgerDamage(finding.damage)
      if ('lost' in finding) return report.lostBlobs(finding.lost)
      const { entry, file } = finding
      // A store of the same bytes may have restored them, as a file.
      const isRestored = nameFault(entry, files.pathOf(entry)) === undefined
      if (!isRestored) report.damagedBytes(entry, file)
    },
  })
  const lastWrite = statSync(inside(LAYOUT.uploads), { throwIfNoEntry: false })?.mtimeMs
  const restedMs = lastWrite === undefined ? 0 : clock() - lastWrite
  const setAside = setAsideDamaged(root, LAYOUT.uploads)
  const tables = openUploadTables(inside(LAYOUT.uploads))
  const table = stagingTable(tables)
  await syncFolder(root)
  const disk = freeSpace(root)
  report.opened(found, isNew, await disk.bytes())
  const space: FreeSpace = {
    ...disk,
    // Before bytes are sent that the folder could not take.
    async require(size) {
      assertInPlace()
      openedLedger.assertEndInPlace()
      await disk.require(size)
    },
  }
  /** Tells the operator about a full disk, before a write or in the middle of it. */
  const reportingFullDisk =
    <A extends unknown[], T>(write: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      try {
        return await write(...args)
      } catch (error) {
        if (isBucketError(error, 'insufficient_storage')) report.fullDisk(table.held, await disk.bytes())
        throw error
      }
    }
  if (setAside) report.uploadsSetAside(LAYOUT.uploads, setAside.fault, setAside.name)
  if (!isNew && (found.rebuilt || found.isAfterCrash))
    report.blobsWithoutEntry(await findBlobsWithoutEntry(inside(LAYOUT.blobs), openedLedger.has))

  const folderOfBlobs = folderBlobs({
    ...{ files, space, held, ledger, secret, clock },
    temporaries: inside(LAYOUT.temporaries),
  })
  const blobs = {
    ...folderOfBlobs,
    write: reportingFullDisk(folderOfBlobs.write),
    async check() {
      await folderOfBlobs.check()
      assertHasFormat(inside(LAYOUT.format))
    },
  }
  const uploads = lmdbUploads(tables)
  const stagedFiles = folderStaging({
    ...{ folder: inside(LAYOUT.staging), table, blobFiles: files, space, secret, clock },
    onLost: report.lostParts,
  })
  const staging = {
    ...stagedFiles,
    begin: reportingFullDisk(stagedFiles.begin),
    receive: reportingFullDisk(stagedFiles.receive),
  }
  const verification = { blobs, ledger, uploads, staging, clock }
  const queue = inProcessQueue({
    verify: (request, signal, note) => verifyUpload(verification, request, signal, note),
    abandon: (request) => failVerification(verification, request),
    log,
  })

  // A clock that is far ahead must not cost uploads: after a long pause, only the hourly cleanup removes expired ones.
  if (restedMs < UPLOAD_SECONDS * 1000) await cleanUp({ uploads, staging, table, clock }, 0)
  else report.longPause(restedMs)
  await staging.removeOrphans()
  await resumeVerifications(uploads, queue, clock)
  let cleaning = Promise.resolve()
  const timer = setInterval(() => {
    // If the disk fails now, the next cleanup retries. Until then only space is lost.
    cleaning = cleanUp({ uploads, staging, table, clock }).catch(() => undefined)
  }, CLEAN_UP_MS)
  timer.unref()

  return {
    ...{ blobs, ledger, uploads, staging, queue },
    blobEndpoint: createBlobEndpoint({ blobs, staging, secret, clock }),
    async close() {
      clearInterval(timer)
      await Promise.all([queue.close(), cleaning])
      await tables.close()
      await openedLedger.close()
      // An older copy that was laid over the folder replaced the ledger as well as the lock: the advice for the ledger comes first.
      const refusal =
        refusalOf(lock.assertSameFolder, FIND_FOLDER) ??
        refusalOf(files.assertInPlace, FIND_FOLDER) ??
        refusalOf(openedLedger.assertInPlace, CHECK_LEDGER) ??
        refusalOf(lock.assertInPlace, 'Start the server again: it makes the file.') ??
        refusalOf(() => assertHasFormat(inside(LAYOUT.format)), RESTORE_FORMAT)
      lock.release()
      if (refusal) throw refusal
    },
  }
}

/** Everything in the folder that must be right before the ledger is opened. A folder of an earlier format is moved here. */
async function prepareFolder(root: string, lock: FolderLock, report: FolderReport) {
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

const FIND_FOLDER =
  'The folder that was opened has everything that was stored: find it, or restore it from a backup, and start the server on it.'
const CHECK_LEDGER =
  'Run `bucket fsck` on the folder. If it finds damage, put the files of the ledger back, or restore them from the newest backup, before you start the server again.'

/** The server can do without the file that says what the folder is, but its next start cannot. */
function assertHasFormat(path: string): void {
  if (existsSync(path)) return
  throw BucketError.needsOperator(
    `the file ${path} was removed`,
    'restore that file from any backup of the same folder, in which it never changes, because the server does not start without it',
  )
}
const RESTORE_FORMAT =
  'Restore that file from any backup of the same folder, in which it never changes. The server does not start without it.'

/** @param next tells the operator what to do when the part is not in place. */
function refusalOf(assertInPlace: () => void, next: string): FolderRefused | undefined {
  try {
    assertInPlace()
    return undefined
  } catch (error) {
    if (!(error instanceof BucketError)) throw error
    return new FolderRefused(error.message, next)
  }
}

/** A damaged table of unfinished uploads costs those uploads, not the store. @returns what was wrong with it, and its new name. */
function setAsideDamaged(
  root: string,
  name: string,
): { readonly fault: string; readonly name: string } | undefined {
  const path = join(root, name)
  if (!existsSync(path)) return undefined
  const fault = lmdbFault(path)
  if (fault === undefined) return undefined
  const aside = `${name}.damaged-${Date.now()}`
  renameSync(path, join(root, aside))
  return { fault, name: aside }
}

/** For its owner only, because a reader of the folder can read every artifact. */
async function makeDataFolder(root: string): Promise<void> {
  const first = makeFolders(root)
  if (first === undefined) return
  for (let made = root; made !== dirname(first); made = dirname(made)) await syncFolder(dirname(made))
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
