/**
 * The public entry of `lib/local`: opens a data folder as all the stores that the rules need, and the endpoint for presigned
 * requests. A folder is open at most once, on one machine. Before the first response, leftovers of an earlier process are
 * removed or resumed.
 */
import { existsSync, renameSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { BucketError, isBucketError } from '../domain/errors.ts'
import { UPLOAD_SECONDS } from '../domain/limits.ts'
import { type DeliveryRecord, inProcessQueue } from '../repository/in-process-queue.ts'
import type { BlobStore, Clock, HealthCheck, Ledger, WholeWriter } from '../repository/ports.ts'
import type { Staging, Uploads, VerificationQueue } from '../repository/upload-ports.ts'
import { failVerification, verifyUpload } from '../repository/verify.ts'
import { type BlobEndpoint, createBlobEndpoint } from './blob-endpoint.ts'
import { nameFault } from './blob-fault.ts'
import type { BlobFiles } from './blob-files.ts'
import { findBlobsWithoutEntry } from './blobs-without-entry.ts'
import { cleanUp } from './clean-up.ts'
import { sizeOfBlob, syncFolder } from './disk.ts'
import { folderBlobs } from './folder-blobs.ts'
import { FolderRefused, LAYOUT } from './folder-format.ts'
import { type FolderLock, lockFolder } from './folder-lock.ts'
import { type FolderRecord, type FolderReport, folderReport } from './folder-report.ts'
import { folderStaging } from './folder-staging.ts'
import { assertRoomToStart, type FreeSpace, freeSpace } from './free-space.ts'
import { INDEX_FILES } from './ledger/log-index.ts'
import { type OpenLedgerOptions, openLedger } from './ledger/open-ledger.ts'
import { lmdbFault } from './lmdb-check.ts'
import { lmdbUploads } from './lmdb-uploads.ts'
import { makeDataFolder, prepareFolder } from './prepare-folder.ts'
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
    ...{ dataDir: root, storeId, assertFolderInPlace: assertInPlace },
    ...ledgerSurroundings(files, report),
  })
  const lastWrite = statSync(inside(LAYOUT.uploads), { throwIfNoEntry: false })?.mtimeMs
  const pausedMs = lastWrite === undefined ? 0 : clock() - lastWrite
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
  const reportingFullDisk = fullDiskReporter(async () =>
    report.fullDisk(table.spaceOfUploads, await disk.bytes()),
  )
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
  if (pausedMs < UPLOAD_SECONDS * 1000) await cleanUp({ uploads, staging, table, clock }, 0)
  else report.longPause(pausedMs)
  await staging.removeOrphans()
  await resumeVerifications(uploads, queue, clock)
  const hourlyCleanUp = repeatEvery(CLEAN_UP_MS, () => cleanUp({ uploads, staging, table, clock }))

  return {
    ...{ blobs, ledger, uploads, staging, queue },
    blobEndpoint: createBlobEndpoint({ blobs, staging, secret, clock }),
    async close() {
      await Promise.all([queue.close(), hourlyCleanUp.stop()])
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

/** The blobs by which the ledger judges its entries, and the report of what it finds. */
const ledgerSurroundings = (
  files: BlobFiles,
  report: FolderReport,
): Pick<OpenLedgerOptions, 'hasFile' | 'onFinding'> => ({
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

/** @returns a wrapper of writes that tells the operator about a full disk, found before a write or in the middle of it. */
const fullDiskReporter =
  (tell: () => Promise<void>) =>
  <A extends unknown[], T>(write: (...args: A) => Promise<T>) =>
  async (...args: A): Promise<T> => {
    try {
      return await write(...args)
    } catch (error) {
      if (isBucketError(error, 'insufficient_storage')) await tell()
      throw error
    }
  }

/** Repeats `work` until it is stopped. If the disk fails now, the next turn retries: until then only space is lost. */
function repeatEvery(intervalMs: number, work: () => Promise<void>): { stop(): Promise<void> } {
  let running = Promise.resolve()
  const timer = setInterval(() => {
    running = work().catch(() => undefined)
  }, intervalMs)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
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
    'restore the file `format` of the data folder from any backup of it, because the server does not start without that file, which never changes',
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
