/**
 * The public entry of `lib/local`: opens a data folder as a blob store, a ledger and the endpoint for presigned requests.
 * A folder is open at most once, on one machine; what an earlier process left unfinished in it is removed before anything is answered.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { BlobStore, Clock, Ledger } from '#repository/ports'
import { type BlobEndpoint, createBlobEndpoint } from './blob-endpoint.ts'
import { syncFolder } from './disk.ts'
import { folderBlobs } from './folder-blobs.ts'
import { assureFormat, FolderRefused, LAYOUT, writeDurably } from './folder-format.ts'
import { lockFolder } from './folder-lock.ts'
import { lmdbLedger } from './lmdb-ledger.ts'

export { FolderRefused }

export interface Folder {
  readonly blobs: BlobStore
  readonly ledger: Ledger
  /** Answers the requests that `blobs` presigned. */
  readonly blobEndpoint: BlobEndpoint
  /** Gives the folder free, after the ledger's last write. To be called when no request is under way any more. */
  close(): Promise<void>
}

export interface FolderOptions {
  /** Tells when a presigned request expires. */
  readonly clock?: Clock
}

/**
 * Opens `dataDir`, made if it is not there.
 *
 * @throws FolderRefused when another server has it, or when it holds something else; errors of the file system as they are.
 */
export async function openFolder(dataDir: string, { clock = Date.now }: FolderOptions = {}): Promise<Folder> {
  const root = resolve(dataDir)
  await makeDataFolder(root)
  const unlock = lockFolder(root)
  try {
    await assureFormat(root)
    const inside = (name: string) => join(root, name)
    // Nobody else is in here: whatever lies among the temporaries was left behind by a process that died.
    await rm(inside(LAYOUT.temporaries), { recursive: true, force: true })
    await mkdir(inside(LAYOUT.temporaries))
    await mkdir(inside(LAYOUT.blobs), { recursive: true })
    const secret = await folderSecret(root)
    const ledger = lmdbLedger(inside(LAYOUT.ledger))
    await syncFolder(root)
    const blobs = folderBlobs({
      root: inside(LAYOUT.blobs),
      temporaries: inside(LAYOUT.temporaries),
      secret,
      clock,
    })
    return {
      blobs,
      ledger,
      blobEndpoint: createBlobEndpoint({ blobs, secret, clock }),
      async close() {
        await ledger.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw error
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
