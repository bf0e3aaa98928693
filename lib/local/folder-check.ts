/**
 * Compares the ledger of a data folder with its blobs, while no server has it open. It only reads, so it works on read-only media, unless it
 * is asked to move wrong blobs aside. It reads the log once, and needs neither the index nor much memory: eight bytes for each blob that
 * is a file.
 */
import { hash } from 'node:crypto'
import { lstat, opendir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { digestFromHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { KIB } from '../domain/limits.ts'
import { errorCode } from '../flow/error-code.ts'
import { type BlobFault, type Damage, nameFault, verifiedBytes, WrongBytes } from './blob-fault.ts'
import { blobFolder, blobName } from './blob-names.ts'
import { lostBlobs } from './blobs-folder.ts'
import { FolderRefused, LAYOUT, ownersError } from './folder-format.ts'
import { lockFolder } from './folder-lock.ts'
import { type FolderLog, openFolderLog } from './folder-log.ts'
import { describeDamage, type LogSegment, lengthUpTo, tornBytes } from './ledger/read-log.ts'
import { blobOfRecord, blobSizeOfRecord, decodeEntry, isBlobRight } from './ledger/record.ts'
import { SEGMENT_HEADER_BYTES, segmentName } from './ledger/segment.ts'
import { PathSet } from './path-set.ts'
import { moveToQuarantine } from './quarantine.ts'

/** A blob, or any file in its place, that no entry names: it lost a race, or was never committed. */
export interface Unreferenced {
  /** Relative to the data folder; for the end of the ledger, its file, `#` and the offset. */
  readonly path: string
  /** Bytes. */
  readonly size: number
}

export interface FolderCheckOptions {
  /** Reads every byte and compares the digests. */
  readonly verify: boolean
  /** Moves files with wrong bytes aside, so that a store of the right bytes restores them. */
  readonly quarantine?: boolean
  readonly signal: AbortSignal
  readonly onDamage: (damage: Damage) => void
  /** Receives a description of damage to the ledger itself: unreadable entries, altered segments. */
  readonly onLedgerDamage?: (message: string) => void
  readonly onUnreferenced: (file: Unreferenced) => void
  /** Receives the number of bytes read and their total, if bytes are read. The total is an estimate until the whole log was read. */
  readonly onProgress?: (bytes: number, total: number) => void
}

/** The contents of the ledger. */
export interface FolderTotals {
  readonly entries: number
  /** Bytes. */
  readonly size: number
}

/**
 * @throws FolderRefused if a server has the folder, if its ledger is incomplete, or if it isn't a data folder; errors of the
 * file system unchanged.
 */
export async function checkFolder(dataDir: string, options: FolderCheckOptions): Promise<FolderTotals> {
  const log = await openFolderLog(dataDir)
  const unlock = lockUnlessReadOnly(log.root, options.quarantine)
  try {
    return await new FolderCheck(log, options).run()
  } catch (error) {
    throw ownersError(error, 'the check did not end', log.root)
  } finally {
    unlock()
  }
}

/** No server can write to read-only media, so no lock is needed. */
function lockUnlessReadOnly(root: string, isChanged = false): () => void {
  try {
    return lockFolder(root).release
  } catch (error) {
    const isReadOnly = errorCode(error) === 'EROFS'
    if (isReadOnly && isChanged)
      throw new FolderRefused(
        `${root} is on a read-only file system, so no blob can be moved aside`,
        'Check it without --quarantine, or mount it so that it can be written to.',
      )
    if (isReadOnly) return () => undefined
    throw error
  }
}

/** The check looks at its signal after this many files. */
const FILES_AT_ONCE = 256

/** The entries of one window whose blobs are files are held at once: about 1,400. */
const WINDOW_BYTES = 256 * KIB

class FolderCheck {
  readonly #log: FolderLog
  readonly #root: string
  readonly #blobs: string
  readonly #options: FolderCheckOptions
  readonly #expected = new PathSet()
  /** Of the log's records, in bytes: all, and those that were read. */
  readonly #logBytes: number
  #logBytesRead = 0
  #bytesRead = 0
  /** Of the entries that were read. */
  #total = 0

  constructor(log: FolderLog, options: FolderCheckOptions) {
    this.#log = log
    this.#root = log.root
    this.#blobs = join(log.root, LAYOUT.blobs)
    this.#options = options
    const { segments, end } = log
    this.#logBytes = segments.reduce(
      (sum, segment) => sum + lengthUpTo(segment, end) - SEGMENT_HEADER_BYTES,
      0,
    )
  }

  async run(): Promise<FolderTotals> {
    const { segments, end, older } = this.#log
    for (const loss of [older, await lostBlobs(this.#log)])
      if (loss) this.#tell(`${loss.message}. ${loss.next}`)
    const entries = await this.#checkLog()
    this.#expected.seal()
    await this.#findUnreferenced(this.#blobs)
    // A crash left an unfinished group. No entry of it was acknowledged, and the next start cuts it off.
    const last = segments[end.segment - 1]
    const size = last ? await tornBytes(last, end) : 0
    if (last && size > 0)
      this.#options.onUnreferenced({
        path: `${LAYOUT.ledger}/${segmentName(last.number)}#${end.offset}`,
        size,
      })
    return { entries, size: this.#total }
  }

  #tell(message: string): void {
    this.#options.onLedgerDamage?.(message)
  }

  /** @returns the number of entries. */
  async #checkLog(): Promise<number> {
    let entries = 0
    let inFiles: Entry[] = []
    await this.#log.read(
      {
        record: (segment, frame, buffer, at) => {
          this.#logBytesRead += frame.length
          if (frame.kind === 'removed') return
          entries += 1
          this.#total += blobSizeOfRecord(buffer, at)
          const blob = blobOfRecord(buffer, at, frame)
          if (blob) this.#bytesRead += blob.byteLength
          if (blob && isBlobRight(buffer, at, blob)) return
          const { entry } = decodeEntry(buffer, at, frame)
          if (!blob || this.#isRestored(entry, blob, segment)) inFiles.push(entry)
        },
        damage: (found) => this.#tell(describeDamage(found)),
        sealed: (segment, sha256) => this.#checkSegment(segment, sha256),
        pause: async () => {
          const batch = inFiles
          inFiles = []
          this.#options.signal.throwIfAborted()
          await this.#checkFiles(batch)
        },
      },
      WINDOW_BYTES,
    )
    return entries
  }

  /** A sealed segment has the digest that the next one remembers, unless it was rewritten and says so. */
  #checkSegment({ number, header }: LogSegment, found: string): void {
    const remembered = this.#log.segments[number]?.header?.previous.sha256
    if (remembered === undefined || found === remembered || header?.replaces === remembered) return
    this.#tell(`${segmentName(number)} has changed since it was sealed`)
  }

  /** The bytes in the record are wrong. @returns whether they were restored as a file. */
  #isRestored(entry: Entry, blob: Buffer, segment: number): boolean {
    if (nameFault(entry, this.#pathOf(entry)) === undefined) return true
    const foundDigest = digestFromHex(hash('sha256', blob, 'hex'))
    const path = `${LAYOUT.ledger}/${segmentName(segment)}`
    this.#options.onDamage({ entry, path, fault: 'wrong_digest', foundDigest })
    return false
  }

  #pathOf = (entry: Entry) => join(blobFolder(this.#blobs, entry), blobName(entry))

  async #checkFiles(entries: readonly Entry[]): Promise<void> {
    for (const [index, entry] of entries.entries()) {
      if (index % FILES_AT_ONCE === 0) {
        await new Promise(setImmediate)
        this.#options.signal.throwIfAborted()
      }
      const path = this.#pathOf(entry)
      this.#expected.add(path)
      const fault = nameFault(entry, path) ?? (await this.#bytesFault(entry, path))
      if (fault) await this.#report({ entry, path: relative(this.#root, path), ...fault })
    }
  }

  async #report(damage: Damage): Promise<void> {
    const { quarantine, onDamage } = this.#options
    const isMoved = quarantine && damage.fault !== 'missing'
    onDamage(isMoved ? { ...damage, movedTo: await moveToQuarantine(this.#root, damage.path) } : damage)
  }

  async #bytesFault(entry: Entry, path: string): Promise<BlobFault | undefined> {
    const { verify, signal, onProgress } = this.#options
    if (!verify) return undefined
    try {
      for await (const { byteLength } of verifiedBytes(entry, path, signal)) {
        this.#bytesRead += byteLength
        onProgress?.(this.#bytesRead, Math.round(this.#total * (this.#logBytes / this.#logBytesRead)))
      }
      return undefined
    } catch (error) {
      if (error instanceof WrongBytes) return error.fault
      throw error
    }
  }

  async #findUnreferenced(folder: string): Promise<void> {
    // A folder may hold a million blobs that are expected.
    const unexpected: string[] = []
    for await (const path of pathsIn(folder))
      if (!this.#expected.has(path) && !isOwnFile(relative(this.#root, path))) unexpected.push(path)
    for (const path of unexpected.sort()) {
      this.#options.signal.throwIfAborted()
      const stats = await lstat(path)
      // The blobs below a linked folder are checked by name, and an operator may delete what is listed as unreferenced.
      if (stats.isSymbolicLink() && (await isFolder(path))) continue
      if (stats.isDirectory()) await this.#findUnreferenced(path)
      else this.#options.onUnreferenced({ path: relative(this.#root, path), size: stats.size })
    }
  }
}

/** The known end of the ledger is kept among the blobs; a crash may leave it under the name of its writer. */
const isOwnFile = (path: string): boolean => path === LAYOUT.knownEnd || path === `${LAYOUT.knownEnd}.new`

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  )

/** The paths in a folder, which may be gone, and its blobs with it. */
async function* pathsIn(folder: string): AsyncGenerator<string, void, undefined> {
  try {
    for await (const { name } of await opendir(folder, { bufferSize: FILES_AT_ONCE }))
      yield join(folder, name)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
}
