/**
 * Tools for the owner of a folder, while no server runs on it: erase one version permanently, or discard damaged records of the ledger.
 * Bucket's API offers neither.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry } from '../domain/entry.ts'
import { type ArtifactRef, formatRef } from '../domain/identifiers.ts'
import { blobFiles } from './blob-files.ts'
import { lostBlobs } from './blobs-folder.ts'
import { makeFolders, syncFolder } from './disk.ts'
import { LAYOUT, ownersError } from './folder-format.ts'
import { lockFolder } from './folder-lock.ts'
import { type FolderLog, openFolderLog } from './folder-log.ts'
import { writeKnownEnd } from './ledger/known-end.ts'
import { INDEX_FILES } from './ledger/log-index.ts'
import { describeDamage, hashSegment, type LogDamage, type LogSegment } from './ledger/read-log.ts'
import { decodeEntry, refOfRecord } from './ledger/record.ts'
import { rewriteSegment, type Span } from './ledger/rewrite-segment.ts'
import { NO_SEGMENT, type SegmentHeader, segmentName } from './ledger/segment.ts'

/**
 * Erases one version: its record, with everything that it says, and its bytes. The reference is free again afterwards.
 *
 * @returns the entry that was erased; undefined when there was none.
 * @throws FolderRefused when a server has the folder, or when its ledger is not complete.
 */
export const eraseVersion = (dataDir: string, ref: ArtifactRef): Promise<Entry | undefined> =>
  withLog(dataDir, async (log) => {
    if (log.older) throw log.older
    const text = formatRef(ref)
    const found: { segment: number; span: Span; entry: Entry }[] = []
    await log.read({
      record(segment, frame, buffer, at, offset) {
        if (frame.kind === 'removed' || refOfRecord(buffer, at) !== text) return
        const { entry } = decodeEntry(buffer, at, frame)
        found.push({ segment, span: { offset, length: frame.length }, entry })
      },
      damage: () => undefined,
    })
    const [first] = found
    if (!first) return undefined
    // The bytes go first: after a crash in between, the entry says that they are missing, and erasing again ends the work.
    await blobFiles(join(log.root, LAYOUT.blobs)).remove(first.entry)
    for (const { segment, span } of found) await log.rewrite(segment, [span])
    return first.entry
  })

/**
 * Discards unreadable records of the ledger, takes an older ledger for the newest one, and makes the folder of the blobs again if it is
 * lost. The versions of lost records are forgotten, and their references are free again; those of lost blobs are kept.
 *
 * @returns a description of everything that was given up.
 * @throws FolderRefused as `eraseVersion`.
 */
export const discardDamage = (dataDir: string): Promise<readonly string[]> =>
  withLog(dataDir, async (log) => {
    const damage: LogDamage[] = []
    await log.read({ record: () => undefined, damage: (found) => damage.push(found) })
    for (const { number } of log.segments) {
      const here = damage.filter(({ file }) => file === segmentName(number))
      if (here.length > 0)
        await log.rewrite(
          number,
          here.filter(({ part }) => part === 'record'),
        )
    }
    const losses = [log.older, await lostBlobs(log)].filter((loss) => loss !== undefined)
    if (losses.length > 0) await acceptLosses(log)
    return [...losses.map(({ message }) => message), ...damage.map(describeDamage)]
  })

/** The next start takes the end of the log, and the folder of the blobs, for the true ones. */
async function acceptLosses({ root, storeId, end }: FolderLog): Promise<void> {
  rmSync(join(root, INDEX_FILES.proof), { force: true })
  makeFolders(join(root, LAYOUT.blobs))
  await writeKnownEnd(root, storeId, end, false)
  await syncFolder(root)
}

interface OfflineLog extends FolderLog {
  rewrite(segment: number, spans: readonly Span[]): Promise<void>
}

async function withLog<T>(dataDir: string, use: (log: OfflineLog) => Promise<T>): Promise<T> {
  const log = await openFolderLog(dataDir)
  const { root, segments, storeId } = log
  const lock = lockFolder(root)
  try {
    return await use({
      ...log,
      async rewrite(number, spans) {
        const segment = segments[number - 1]
        if (!segment) throw new Error(`no segment ${number}`)
        await rewriteSegment(segment, storeId, spans, await headerOf(segments, segment, storeId))
        // The index still has the removed records. Removed here, it is rebuilt by the next start.
        rmSync(join(root, INDEX_FILES.index), { force: true })
        await syncFolder(root)
      },
    })
  } catch (error) {
    throw ownersError(error, 'the ledger could not be rewritten', root)
  } finally {
    lock.release()
  }
}

/** The header of a segment that is rewritten, made again from its neighbours where it is damaged. */
async function headerOf(
  segments: readonly LogSegment[],
  segment: LogSegment,
  storeId: string,
): Promise<SegmentHeader> {
  const sealed = segments[segment.number]?.header?.previous.sha256 ?? null
  if (segment.header) return { ...segment.header, replaces: sealed }
  const previous = segments[segment.number - 2]
  return {
    ...{ storeId, number: segment.number, firstGroup: 1, replaces: sealed },
    previous: previous
      ? { length: previous.size, sha256: (await hashSegment(previous, previous.size)).digest('hex') }
      : NO_SEGMENT,
  }
}
