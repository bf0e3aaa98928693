/**
 * Copies a data folder to another one while a server may run on it: blobs first, then the part of the ledger that names them, so that the
 * copy is complete at any time. The next run copies only new data. Uploads that are not committed are not copied. The ledger of a copy is
 * only ever extended: a source that is damaged, or that lacks entries of the copy, is refused before the copy is changed.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { wholeRange } from '../domain/byte-range.ts'
import { digestFromHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { formatRef } from '../domain/identifiers.ts'
import { blobFiles } from './blob-files.ts'
import { readFile } from './blob-reader.ts'
import { hashFile, readAt, renameFile, syncFile, syncFolder, truncateFile, writeAll } from './disk.ts'
import {
  FolderDamaged,
  FolderRefused,
  LAYOUT,
  ownersError,
  readFormat,
  WrongFolder,
  writeFormat,
} from './folder-format.ts'
import { lockFolder } from './folder-lock.ts'
import { type FolderLog, forEachEntry, openFolderLog } from './folder-log.ts'
import { INDEX_FILES } from './ledger/log-index.ts'
import { describeDamage, type LogDamage, type LogSegment, readSegment } from './ledger/read-log.ts'
import { segmentName, segmentNumbers } from './ledger/segment.ts'
import { writeTemporary } from './temporary.ts'

export interface BackupReport {
  /** In the copy. */
  readonly entries: number
  readonly copiedBlobs: number
  /** Bytes of blobs and ledger that were copied. */
  readonly copiedBytes: number
}

/**
 * @param from a data folder; a server may run on it.
 * @param to an empty folder, one that does not exist yet, or an earlier copy of the same store.
 * @throws FolderRefused if `to` has other content or a server runs on it; FolderDamaged if bytes of `from` are missing or wrong. The copy
 * then ends before them.
 */
export async function backupFolder(from: string, to: string, signal: AbortSignal): Promise<BackupReport> {
  const log = await openFolderLog(from)
  const target = resolve(to)
  assertApart(log.root, target)
  // Before the lock, which leaves a file in a folder of something else.
  await assertUsable(target, log.storeId)
  mkdirSync(target, { recursive: true, mode: 0o700 })
  const lock = lockFolder(target)
  try {
    const inside = (name: string) => join(target, name)
    for (const name of [LAYOUT.blobs, LAYOUT.temporaries, LAYOUT.ledger])
      mkdirSync(inside(name), { recursive: true, mode: 0o700 })
    await assertExtends(log, target)
    // The index describes another end of the log, so the copy needs its own.
    rmSync(inside(INDEX_FILES.proof), { force: true })
    const blobs = await copyBlobs(log, target, signal)
    const ledgerBytes = await copyLedger(log, target)
    copyFileSync(join(log.root, LAYOUT.secret), inside(LAYOUT.secret))
    await writeFormat(target, log.storeId)
    return { ...blobs, copiedBytes: blobs.copiedBytes + ledgerBytes }
  } catch (error) {
    throw ownersError(error, `the copy in ${target} is not complete`)
  } finally {
    lock.release()
  }
}

/** A copy within the folder, or the folder within the copy, would copy itself. */
function assertApart(from: string, to: string): void {
  const [source, target] = [realpathSync(from), realPathOf(to)]
  const isWithin = (inner: string, outer: string) => !relative(outer, inner).startsWith('..')
  if (!isWithin(source, target) && !isWithin(target, source)) return
  throw new WrongFolder(
    source === target
      ? `${to} is the folder that is to be copied`
      : `${to} and ${from} lie within one another`,
    'Name a folder somewhere else, best on another disk.',
  )
}

/** Of a path that may not exist yet. */
function realPathOf(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  return dirname(path) === path ? path : join(realPathOf(dirname(path)), basename(path))
}

/** A copy that was cut short has no format yet. */
async function assertUsable(target: string, storeId: string): Promise<void> {
  const found = statSync(target, { throwIfNoEntry: false })
  if (!found) return
  if (!found.isDirectory())
    throw new WrongFolder(`${target} is a file`, 'Name a folder, or a path that does not exist yet.')
  const format = await readFormat(target)
  if (format?.version === 2 && format.storeId === storeId) return
  const others = readdirSync(target).filter(
    (name) => ![LAYOUT.lock, LAYOUT.blobs, LAYOUT.temporaries, LAYOUT.ledger, 'lost+found'].includes(name),
  )
  if (!format && others.length === 0) return
  throw new WrongFolder(
    `${target} is neither empty nor a copy of this store${format ? '' : `: it holds ${JSON.stringify(others[0])}`}`,
    'Name an empty folder, one that does not exist yet, or an earlier copy of the same folder.',
  )
}

/** @throws FolderRefused unless the ledger of `log` has everything in the ledger of the copy. */
async function assertExtends({ root, segments, end }: FolderLog, target: string): Promise<void> {
  const folder = join(target, LAYOUT.ledger)
  const refuse = (name: string, what: string) =>
    new FolderRefused(
      `${join(target, LAYOUT.ledger, name)} ${what}, so ${root} is damaged, older than ${target}, or another history of it`,
      'Nothing was copied. Check both with bucket fsck. To keep both, name an empty folder.',
    )
  const beyond = segmentNumbers(folder).find((number) => number > end.segment)
  if (beyond !== undefined) throw refuse(segmentName(beyond), `is missing in ${root}`)
  for (const segment of segments) {
    const name = segmentName(segment.number)
    const size = statSync(join(folder, name), { throwIfNoEntry: false })?.size
    if (size === undefined) continue
    if (size > lengthOf(segment, end)) throw refuse(name, `is longer than in ${root}`)
    // An erasure rewrote it since the last copy.
    const isRewritten = segment.header?.replaces !== replacesOf(folder, segment.number)
    if (segment.header && isRewritten) continue
    const source = openSync(segment.path, 'r')
    try {
      if (!(await haveSameHash(source, join(folder, name), size)))
        throw refuse(name, `differs from that in ${root}`)
    } finally {
      closeSync(source)
    }
  }
}

const lengthOf = ({ number, size }: LogSegment, end: FolderLog['end']): number =>
  number === end.segment ? end.offset : size

const replacesOf = (folder: string, number: number) => readSegment(folder, number).header?.replaces

async function copyBlobs(log: FolderLog, target: string, signal: AbortSignal): Promise<BackupReport> {
  const source = blobFiles(join(log.root, LAYOUT.blobs))
  const copies = blobFiles(join(target, LAYOUT.blobs))
  const temporary = join(target, LAYOUT.temporaries, 'copy')
  let [entries, copiedBlobs, copiedBytes] = [0, 0, 0]
  const damaged = (damage: LogDamage) => {
    throw new FolderDamaged(
      `the ledger in ${log.root} is damaged: ${describeDamage(damage)}`,
      'Run bucket fsck on the folder. The copy has no entry that was stored later. `bucket fsck --discard-damage` gives up the damaged records.',
    )
  }
  const copyEntries: Parameters<typeof forEachEntry>[1] = async (batch) => {
    for (const { entry, isInline } of batch) {
      signal.throwIfAborted()
      entries += 1
      const copy = statSync(copies.pathOf(entry), { throwIfNoEntry: false })
      if (isInline || copy?.size === entry.size) continue
      rmSync(temporary, { force: true })
      await writeTemporary(temporary, verified(source.pathOf(entry), entry, signal), signal)
      await copies.publish(entry, temporary)
      copiedBlobs += 1
      copiedBytes += entry.size
    }
  }
  await forEachEntry(log, copyEntries, damaged)
  return { entries, copiedBlobs, copiedBytes }
}

/** Ends normally only if the bytes are those of the entry. */
async function* verified(path: string, entry: Entry, signal: AbortSignal) {
  const hash = createHash('sha256')
  const damaged = (what: string) =>
    new FolderDamaged(
      `the bytes of ${formatRef(entry.ref)} ${what}: ${path}`,
      'Run bucket fsck --verify on the folder, and restore what it names from an earlier backup. The copy has no entry for which bytes are missing.',
    )
  if (statSync(path, { throwIfNoEntry: false })?.size !== entry.size)
    throw damaged('are missing or cut short')
  for await (const chunk of await readFile(path, wholeRange(entry.size), signal)) {
    hash.update(chunk)
    yield chunk
  }
  if (digestFromHex(hash.digest('hex')) !== entry.digest) throw damaged('do not have its digest')
}

/** @returns how many bytes were copied. */
async function copyLedger({ segments, end }: FolderLog, target: string): Promise<number> {
  let copied = 0
  for (const segment of segments) {
    const length = lengthOf(segment, end)
    copied += await copySegment(segment, length, join(target, LAYOUT.ledger, segmentName(segment.number)))
  }
  await syncFolder(join(target, LAYOUT.ledger))
  return copied
}

const CHUNK_BYTES = 4 * 1024 * 1024

/** Appends what the copy does not have yet. A segment that was rewritten since, or whose copy has other bytes, is copied again. */
async function copySegment(segment: LogSegment, length: number, path: string): Promise<number> {
  const source = openSync(segment.path, 'r')
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const isPrefix = existsSync(path) && size <= length && (await haveSameHash(source, path, size))
  const written = isPrefix ? path : `${path}.new`
  if (isPrefix && size === length) {
    closeSync(source)
    return 0
  }
  const copy = openSync(written, isPrefix ? 'r+' : 'w', 0o600)
  try {
    const begin = isPrefix ? size : 0
    await truncateFile(copy, begin)
    for (let at = begin; at < length; at += CHUNK_BYTES)
      await writeAll(copy, [await readAt(source, at, Math.min(CHUNK_BYTES, length - at))], at)
    await syncFile(copy)
    if (!isPrefix) await renameFile(written, path)
    return length - begin
  } finally {
    closeSync(copy)
    closeSync(source)
  }
}

async function haveSameHash(source: number, path: string, size: number): Promise<boolean> {
  const copy = openSync(path, 'r')
  try {
    const [one, other] = [await hashFile(source, size), await hashFile(copy, size)]
    return one.digest('hex') === other.digest('hex')
  } finally {
    closeSync(copy)
  }
}
