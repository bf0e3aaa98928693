/**
 * Copies a data folder to another one while a server may run on it: blobs first, then the part of the ledger that names them, so that the
 * copy is complete at any time. The next run copies only new data. Uploads that are not committed are not copied. The ledger of a copy is
 * only ever extended: a source with a damaged ledger, or one that lacks entries of the copy, is refused before the copy is changed. An entry
 * whose bytes are lost is copied all the same, and reported.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { type CopiedBlobs, type CopyOptions, copyBlobs } from './backup-blobs.ts'
import {
  hashFile,
  makeFolders,
  readAt,
  renameFile,
  syncFile,
  syncFolder,
  truncateFile,
  writeAll,
} from './disk.ts'
import {
  BackupDamaged,
  FolderDamaged,
  FolderRefused,
  LAYOUT,
  ownersError,
  readFormat,
  WrongFolder,
  writeFormat,
} from './folder-format.ts'
import { lockFolder } from './folder-lock.ts'
import { type FolderLog, openFolderLog } from './folder-log.ts'
import { writeKnownEnd } from './ledger/known-end.ts'
import { INDEX_FILES } from './ledger/log-index.ts'
import {
  describeDamage,
  findEnd,
  type LogDamage,
  type LogSegment,
  lengthUpTo,
  readLog,
  readSegment,
} from './ledger/read-log.ts'
import { LOG_BEGIN, segmentName, segmentNumbers } from './ledger/segment.ts'

/**
 * @param from a data folder; a server may run on it.
 * @param to an empty folder, one that does not exist yet, or an earlier copy of the same store.
 * @returns what the copy has now, and what was copied of blobs and ledger.
 * @throws FolderRefused if `to` has other content or a server runs on it; FolderDamaged if the ledger of `from` is damaged. Nothing was
 * copied then.
 */
export async function backupFolder(from: string, to: string, options: CopyOptions): Promise<CopiedBlobs> {
  const log = await openFolderLog(from)
  const target = await usableTarget(log, to)
  await assertUndamaged(log)
  return await copyFolder(log, target, options)
}

/**
 * The way back, with the words for it.
 *
 * @param backup a folder that `backupFolder` made.
 * @throws BackupDamaged if its ledger is damaged. Nothing was copied then.
 */
export async function restoreFolder(backup: string, to: string, options: CopyOptions): Promise<CopiedBlobs> {
  const log = await openFolderLog(backup).catch(refuseBackup)
  const target = await usableTarget(log, to)
  await assertUndamaged(log).catch(refuseBackup)
  return await copyFolder(log, target, options)
}

function refuseBackup(error: unknown): never {
  if (!(error instanceof FolderDamaged)) throw error
  throw new BackupDamaged(
    error.message,
    'Nothing was copied. Try an older backup. `bucket fsck --data-dir` on this one names everything that is damaged in it.',
  )
}

/** @returns its path. Called before the lock, which leaves a file in a folder of something else. */
async function usableTarget({ root, storeId }: FolderLog, to: string): Promise<string> {
  const target = resolve(to)
  assertApart(root, target)
  await assertUsable(target, storeId)
  return target
}

async function copyFolder(log: FolderLog, target: string, options: CopyOptions): Promise<CopiedBlobs> {
  makeFolders(target)
  const lock = lockFolder(target)
  try {
    const inside = (name: string) => join(target, name)
    for (const name of [LAYOUT.blobs, LAYOUT.temporaries, LAYOUT.ledger]) makeFolders(inside(name))
    await assertExtends(log, target).catch(async (error: unknown) => {
      // The ledger of the folder was found to be undamaged.
      throw (await damageOfCopy(log, target)) ?? error
    })
    // The index describes another end of the log, so the copy needs its own.
    rmSync(inside(INDEX_FILES.proof), { force: true })
    const blobs = await copyBlobs(log, target, options)
    const ledgerBytes = await copyLedger(log, target)
    await writeKnownEnd(target, log.storeId, log.end, true)
    copyFileSync(join(log.root, LAYOUT.secret), inside(LAYOUT.secret))
    await writeFormat(target, log.storeId)
    return { ...blobs, copiedBytes: blobs.copiedBytes + ledgerBytes }
  } catch (error) {
    throw ownersError(error, `the copy in ${target} is not complete`, target)
  } finally {
    lock.release()
  }
}

/** @throws FolderDamaged when records of the ledger cannot be read, or when it has lost some. */
async function assertUndamaged(log: FolderLog): Promise<void> {
  if (log.older) throw log.older
  await log.read({
    record: () => undefined,
    damage(damage) {
      throw new FolderDamaged(
        `the ledger in ${log.root} is damaged: ${describeDamage(damage)}`,
        'Nothing was copied. Run bucket fsck on the folder. `bucket fsck --discard-damage` gives up the damaged records.',
      )
    },
  })
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
    throw new WrongFolder(`${target} is not a folder`, 'Name a folder, or a path that does not exist yet.')
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
      `${join(target, LAYOUT.ledger, name)} ${what}: one of the two folders is damaged, ${root} is older than ${target}, or it is another history of it`,
      `Nothing was copied. \`bucket fsck --data-dir ${root}\` and \`bucket fsck --data-dir ${target}\` say whether one of them is damaged; no server may run on a folder meanwhile. To keep both, name an empty folder.`,
    )
  const beyond = segmentNumbers(folder).find((number) => number > end.segment)
  if (beyond !== undefined) throw refuse(segmentName(beyond), `is missing in ${root}`)
  for (const segment of segments) {
    const name = segmentName(segment.number)
    const size = statSync(join(folder, name), { throwIfNoEntry: false })?.size
    if (size === undefined) continue
    if (size > lengthUpTo(segment, end)) throw refuse(name, `is longer than in ${root}`)
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

/** @returns what is damaged in the ledger of the copy; undefined when every record can be read. */
async function damageOfCopy(
  { root, storeId }: FolderLog,
  target: string,
): Promise<FolderDamaged | undefined> {
  const folder = join(target, LAYOUT.ledger)
  const segments = segmentNumbers(folder).map((number) => readSegment(folder, number))
  const last = segments.at(-1)
  if (!last) return undefined
  let found: LogDamage | undefined
  const range = {
    from: LOG_BEGIN,
    end: await findEnd(last, storeId, undefined),
  }
  await readLog(segments, storeId, range, {
    record: () => undefined,
    damage(damage) {
      found ??= damage
    },
  })
  return (
    found &&
    new FolderDamaged(
      `the ledger of the copy in ${target} is damaged: ${describeDamage(found)}`,
      `Nothing was copied, and ${root} is not damaged. Name an empty folder for a new copy. Remove the damaged one only after \`bucket ls --data-dir\` of both has shown that it has nothing more.`,
    )
  )
}

const replacesOf = (folder: string, number: number) => readSegment(folder, number).header?.replaces

/** @returns how many bytes were copied. */
async function copyLedger({ segments, end }: FolderLog, target: string): Promise<number> {
  let copied = 0
  for (const segment of segments) {
    const length = lengthUpTo(segment, end)
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
