/**
 * The public entry of `lib/local`: opens a data folder as all the stores that the rules need, and the endpoint for presigned requests.
 * A folder is open at most once, on one machine; what an earlier process left unfinished in it is removed before anything is answered.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { PRESIGNED_SECONDS } from '../domain/limits.ts'
import { type DeliveryRecord, inProcessQueue } from '../repository/in-process-queue.ts'
import type { BlobStore, Clock, Ledger } from '../repository/ports.ts'
import type { Staging, Uploads, VerificationQueue } from '../repository/upload-ports.ts'
import { abandonVerification, verifyUpload } from '../repository/verify.ts'
import { type BlobEndpoint, createBlobEndpoint } from './blob-endpoint.ts'
import { blobFiles } from './blob-files.ts'
import { cleanUp } from './clean-up.ts'
import { syncFolder } from './disk.ts'
import { folderBlobs } from './folder-blobs.ts'
import { ensureFormat, FolderRefused, LAYOUT, writeDurably } from './folder-format.ts'
import { lockFolder } from './folder-lock.ts'
import { folderStaging } from './folder-staging.ts'
import { openLedgerFile } from './lmdb-ledger.ts'
import { lmdbUploads } from './lmdb-uploads.ts'
import { resumeVerifications } from './resume-verifications.ts'
import { stagingTable } from './staging-table.ts'
import { openUploadTables } from './upload-tables.ts'

export { FolderRefused }

export interface Folder {
  readonly blobs: BlobStore
  readonly ledger: Ledger
  readonly uploads: Uploads
  readonly staging: Staging
  /** Verifies in this process. */
  readonly queue: VerificationQueue
  /** Answers the requests that `blobs` and `staging` presigned. */
  readonly blobEndpoint: BlobEndpoint
  /**
   * Stops verifications, which the next opening takes up, and gives the folder free after the last write.
   * To be called when no request is under way any more.
   */
  close(): Promise<void>
}

export interface FolderOptions {
  /** Tells when presigned requests, uploads and leases expire. */
  readonly clock?: Clock
  /** Gets one line for each verification. */
  readonly log?: (record: DeliveryRecord) => void
}

/** How often what uploads left behind is removed, in milliseconds. */
const CLEAN_UP_MS = 3_600_000

/**
 * Opens `dataDir`, made if it is not there.
 *
 * @throws FolderRefused when another server has it, or when it holds something else; errors of the file system as they are.
 */
export async function openFolder(dataDir: string, options: FolderOptions = {}): Promise<Folder> {
  const root = resolve(dataDir)
  await makeDataFolder(root)
  const unlock = lockFolder(root)
  try {
    await ensureFormat(root)
    return await openLocked(root, unlock, options)
  } catch (error) {
    unlock()
    throw error
  }
}

async function openLocked(root: string, unlock: () => void, options: FolderOptions): Promise<Folder> {
  const { clock = Date.now, log = () => undefined } = options
  const inside = (name: string) => join(root, name)
  // Nobody else is in here: whatever lies among the temporaries was left behind by a process that died.
  await rm(inside(LAYOUT.temporaries), { recursive: true, force: true })
  await mkdir(inside(LAYOUT.temporaries))
  await mkdir(inside(LAYOUT.blobs), { recursive: true })
  await mkdir(inside(LAYOUT.staging), { recursive: true })
  const secret = await folderSecret(root)
  const { ledger, smallBlobs, ...ledgerFile } = openLedgerFile(inside(LAYOUT.ledger))
  const tables = openUploadTables(inside(LAYOUT.uploads))
  await syncFolder(root)

  const files = blobFiles(inside(LAYOUT.blobs))
  const blobs = folderBlobs({
    files,
    small: smallBlobs,
    temporaries: inside(LAYOUT.temporaries),
    secret,
    clock,
  })
  const uploads = lmdbUploads(tables)
  const table = stagingTable(tables)
  const staging = folderStaging({ folder: inside(LAYOUT.staging), table, blobFiles: files, secret, clock })
  const queue = inProcessQueue({
    verify: (request, signal) => verifyUpload(verification, request, signal),
    abandon: (request) => abandonVerification(verification, request),
    log,
  })
  const verification = {
    ...{ blobs, ledger, uploads, staging, queue, clock },
    // A verification hands nothing out and refuses no size: that was done when the upload began.
    maxArtifactBytes: Number.MAX_SAFE_INTEGER,
    presignedSeconds: PRESIGNED_SECONDS,
  }

  await cleanUp({ uploads, staging, table, clock }, 0)
  await staging.removeOrphans()
  await resumeVerifications(uploads, queue, clock)
  let cleaning = Promise.resolve()
  const timer = setInterval(() => {
    // A disk that fails now is met again by the next one; what stays is only room.
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
      await ledgerFile.close()
      unlock()
    },
  }
}

/** For its owner only: whoever reads the folder reads every artifact. */
async function makeDataFolder(root: string): Promise<void> {
  const first = await mkdir(root, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = root; made !== dirname(first); made = dirname(made)) await syncFolder(dirname(made))
}

/** What signs presigned requests; made once, so that a restart breaks none that is still valid. */
async function folderSecret(root: string): Promise<Uint8Array> {
  const path = join(root, LAYOUT.secret)
  if (!existsSync(path)) await writeDurably(root, LAYOUT.secret, `${randomBytes(32).toString('hex')}\n`)
  const secret = readFileSync(path, 'latin1')
  if (/^[0-9a-f]{64}\n$/.test(secret)) return Buffer.from(secret.trim(), 'hex')
  throw new FolderRefused(
    `the secret in ${path} is damaged`,
    'Remove that file: a new one is made, and presigned requests that were handed out before end.',
  )
}
