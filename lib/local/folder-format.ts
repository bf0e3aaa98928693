/**
 * Whether this code can open a data folder. `format` names the format and the store: it is the last durable file in a new folder, and every
 * segment of the ledger repeats the store's id. A folder of another kind, of a later version, or with the ledger of another store is
 * therefore refused and not written to.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { open, readdir, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BucketError, isBucketError } from '../domain/errors.ts'
import { syncFolder } from './disk.ts'
import { whyFull } from './disk-error.ts'

/** Names in the data folder. */
export const LAYOUT = {
  format: 'format',
  lock: 'lock',
  secret: 'secret',
  ledger: 'ledger',
  uploads: 'uploads.mdb',
  staging: 'staging',
  blobs: 'blobs',
  temporaries: 'tmp',
  quarantine: 'quarantine',
  /** Where the log is known to have ended (ledger/known-end.ts). No identifier begins with a dot. */
  knownEnd: 'blobs/.ledger-end',
} as const

const FORMAT_1 = 'bucket-folder 1\n'
const FORMAT_2 = /^bucket-folder 2\n([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n$/
const formatOf = (storeId: string) => `bucket-folder 2\n${storeId}\n`

/** The files that may exist in a folder whose first start was interrupted, or in a new file system. */
const UNFINISHED: readonly string[] = [LAYOUT.lock, `${LAYOUT.format}.new`, 'lost+found']
/** A ledger of at most this many bytes holds no record. */
const EMPTY_LEDGER_BYTES = 128

/** A data folder that must not be used; `next` says what to do about it. */
export class FolderRefused extends Error {
  override readonly name: string = 'FolderRefused'
  readonly next: string

  constructor(message: string, next: string) {
    super(message)
    this.next = next
  }
}

/** The folder is not what the command needs, and nothing but another path helps. */
export class WrongFolder extends FolderRefused {
  override readonly name: string = 'WrongFolder'
}

/** A data folder that has lost stored data. */
export class FolderDamaged extends FolderRefused {
  override readonly name: string = 'FolderDamaged'
}

/** A backup that has lost stored data, so that nothing can be restored from it as a whole. */
export class BackupDamaged extends FolderRefused {
  override readonly name: string = 'BackupDamaged'
}

/**
 * A failure of the disk, in the words of an owner who works on a folder without a server.
 *
 * @param what failed: `the copy in /backup is not complete`.
 * @param written the only folder that was written to, so that it is the one whose disk is full.
 */
export function ownersError(error: unknown, what: string, written: string): unknown {
  if (!(error instanceof BucketError)) return error
  const { cause } = error
  const why = isBucketError(error, 'insufficient_storage')
    ? whyFull(written, cause)
    : // The system's message has the path, or the call that failed.
      cause instanceof Error
      ? cause.message
      : error.message
  return new FolderRefused(
    `${what}: ${why}`,
    'Check the space, the permissions and the health of the disk, then repeat the command: it continues where it ended.',
  )
}

export type FolderFormat =
  | { readonly version: 1 }
  | {
      readonly version: 2
      /** A UUID. */
      readonly storeId: string
    }

/**
 * @returns undefined if the folder has no format.
 * @throws FolderRefused if it has another format; the system's error if the folder does not exist.
 */
export async function readFormat(dataDir: string): Promise<FolderFormat | undefined> {
  const names = await readdir(dataDir)
  if (!names.includes(LAYOUT.format)) return undefined
  const found = readFileSync(join(dataDir, LAYOUT.format), 'latin1').slice(0, 100)
  if (found === FORMAT_1) return { version: 1 }
  const [, storeId] = FORMAT_2.exec(found) ?? []
  if (storeId !== undefined) return { version: 2, storeId }
  throw new WrongFolder(
    `the folder ${dataDir} has the format ${JSON.stringify(found.trim())}, which this version of Bucket does not know`,
    'Use the version of Bucket that wrote it, or another folder.',
  )
}

/**
 * Makes an empty folder the folder of a new store.
 *
 * @param createLedger makes the ledger of the store in the folder that it is given, durably.
 * @returns the id of the store.
 * @throws FolderRefused when the folder holds something else.
 */
export async function initializeFolder(
  dataDir: string,
  createLedger: (folder: string, storeId: string) => Promise<void>,
): Promise<string> {
  const found = (await readdir(dataDir)).filter((name) => !UNFINISHED.includes(name))
  const strangers = (await isUnfinishedLedger(dataDir, found)) ? [] : found
  if (strangers.length > 0)
    throw new WrongFolder(
      `the folder ${dataDir} isn't a Bucket folder: it holds ${JSON.stringify(strangers[0])} and no ${JSON.stringify(LAYOUT.format)} file`,
      strangers.includes(LAYOUT.ledger) || strangers.includes(LAYOUT.secret)
        ? `If \`bucket backup\` or \`bucket restore\` into it was cut short, repeat that command. If it was a Bucket folder, restore its ${JSON.stringify(LAYOUT.format)} file from a backup. Else name an empty folder, or one that does not exist yet.`
        : 'Name an empty folder, or one that does not exist yet.',
    )
  const storeId = randomUUID()
  const ledger = join(dataDir, LAYOUT.ledger)
  rmSync(ledger, { recursive: true, force: true })
  mkdirSync(ledger, { mode: 0o700 })
  await createLedger(ledger, storeId)
  await writeFormat(dataDir, storeId)
  return storeId
}

/** The folder contains only a ledger without a record. */
async function isUnfinishedLedger(dataDir: string, found: readonly string[]): Promise<boolean> {
  return found.length === 1 && found[0] === LAYOUT.ledger && (await isEmptyLedger(dataDir))
}

export async function isEmptyLedger(dataDir: string): Promise<boolean> {
  const folder = join(dataDir, LAYOUT.ledger)
  const sizes = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
  )
  return sizes.every((size) => size <= EMPTY_LEDGER_BYTES)
}

/** Makes the folder one of format 2, durably. */
export async function writeFormat(dataDir: string, storeId: string): Promise<void> {
  await syncFolder(dataDir)
  await writeDurably(dataDir, LAYOUT.format, formatOf(storeId))
}

/** Writes a small file atomically, readable by its owner only. @param name relative to the data folder. */
export async function writeDurably(dataDir: string, name: string, content: string): Promise<void> {
  const path = join(dataDir, name)
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncFolder(dirname(path))
}
