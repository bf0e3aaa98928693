/**
 * What a data folder holds, and whether this code knows it: `format` is the first durable thing in a new folder,
 * so that a folder of anything else, or of a later Bucket, is refused instead of written into.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from './disk.ts'

/** Names in the data folder. */
export const LAYOUT = {
  format: 'format',
  lock: 'lock',
  secret: 'secret',
  ledger: 'ledger.mdb',
  uploads: 'uploads.mdb',
  staging: 'staging',
  blobs: 'blobs',
  temporaries: 'tmp',
} as const

const FORMAT = 'bucket-folder 1\n'
/** What may stand in a folder whose first start was cut short. */
const UNFINISHED: readonly string[] = [LAYOUT.lock, `${LAYOUT.format}.new`]

/** A data folder that must not be used; `next` says what to do about it. */
export class FolderRefused extends Error {
  override readonly name = 'FolderRefused'
  readonly next: string

  constructor(message: string, next: string) {
    super(message)
    this.next = next
  }
}

/**
 * Reads the format of a locked folder, or writes it into an empty one.
 *
 * @throws FolderRefused when the folder holds something else.
 */
export async function ensureFormat(dataDir: string): Promise<void> {
  if (await hasFormat(dataDir)) return
  const stranger = (await readdir(dataDir)).find((name) => !UNFINISHED.includes(name))
  if (stranger !== undefined)
    throw new FolderRefused(
      `the folder ${dataDir} is no Bucket folder: it holds ${JSON.stringify(stranger)} and no ${JSON.stringify(LAYOUT.format)} file`,
      'Name an empty folder, or one that does not exist yet.',
    )
  await writeDurably(dataDir, LAYOUT.format, FORMAT)
}

/**
 * @returns whether the folder is one of this format; false when it says nothing.
 * @throws FolderRefused when it is one of another format; the system's error when there is no such folder.
 */
export async function hasFormat(dataDir: string): Promise<boolean> {
  const names = await readdir(dataDir)
  if (!names.includes(LAYOUT.format)) return false
  const found = readFileSync(join(dataDir, LAYOUT.format), 'latin1').slice(0, 100)
  if (found === FORMAT) return true
  throw new FolderRefused(
    `the folder ${dataDir} has the format ${JSON.stringify(found.trim())}; this server knows ${JSON.stringify(FORMAT.trim())}`,
    'Use the version of Bucket that wrote it, or another folder.',
  )
}

/** Writes a small file that is there whole or not at all, readable by the owner only. */
export async function writeDurably(dataDir: string, name: string, content: string): Promise<void> {
  const path = join(dataDir, name)
  const temporary = `${path}.new`
  writeFileSync(temporary, content, { mode: 0o600 })
  const fd = openSync(temporary, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
  await syncFolder(dataDir)
}
