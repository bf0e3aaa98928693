/**
 * Opens the ledger of a data folder: finds the end of its log, cuts off a torn group, and brings the index up to date, or rebuilds it if it
 * is lost or damaged. No part of the log is skipped silently: the report lists every finding.
 */
import { chmodSync, closeSync, openSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Entry } from '../../domain/entry.ts'
import { syncFile, truncateFile } from '../disk.ts'
import { LAYOUT } from '../folder-format.ts'
import { createSegment, openAppendLog, type RecordPosition } from './append-log.ts'
import { checkInBackground, type LostFiles } from './background-check.ts'
import { type HeldBlobs, heldBlobs } from './held-blobs.ts'
import { keepKnownEnd, laterEnd, olderThan, readKnownEnd } from './known-end.ts'
import { type LogIndex, openLogIndex, readProof } from './log-index.ts'
import { type LogLedger, logLedger } from './log-ledger.ts'
import {
  findEnd,
  hashSegment,
  type LogDamage,
  type LogSegment,
  listLog,
  readLog,
  tornBytes,
} from './read-log.ts'
import { refOfRecord } from './record.ts'
import { recordReader } from './record-reader.ts'
import { LOG_BEGIN, type LogPosition, NO_SEGMENT, segmentName } from './segment.ts'

/** The result of opening a ledger. */
export interface LedgerReport {
  readonly entries: number
  /** Bytes of an unfinished group that a crash left, and that were cut off. */
  readonly tornBytes: number
  /** Set when the index was built from the log. */
  readonly rebuilt: { readonly records: number; readonly seconds: number } | undefined
  /** The server before did not stop in order, or it is unknown. */
  readonly isAfterCrash: boolean
  readonly damage: readonly LogDamage[]
}

export interface OpenLedger {
  readonly ledger: LogLedger
  readonly held: HeldBlobs
  /** Whether a reference has an entry. */
  readonly has: (ref: string) => boolean
  readonly report: LedgerReport
  /** @throws BucketError `unavailable` when nothing can be appended, because something else removed or changed the end of the log. */
  assertEndInPlace(): void
  /** @throws BucketError `unavailable` when a segment was removed, replaced or changed by something else. Works after `close`, too. */
  assertInPlace(): void
  /** Waits for appends in progress. */
  close(): Promise<void>
}

export interface OpenLedgerOptions {
  readonly dataDir: string
  /** The id in the folder's format. */
  readonly storeId: string
  /** Throws when the folder was moved, removed or replaced. Called before each group. */
  readonly assertFolderInPlace?: () => void
  readonly segmentBytes?: number
  /** How much room the log reserves at a time, in bytes. */
  readonly reservedBytes?: number
  /** How long a quick sync takes at most, in milliseconds; 0 runs all syncs on another thread. */
  readonly quickSyncMs?: number
  /** Whether the file of a blob is there, with its size. */
  readonly hasFile?: (entry: Entry) => Promise<boolean>
  /** Receives what the check in the background finds. */
  readonly onFinding?: (finding: LateFinding) => void
}

/** A damaged part of the log, an entry whose bytes in the log are wrong, or lost files. */
export type LateFinding =
  | { readonly damage: LogDamage }
  | { readonly lost: LostFiles }
  | {
      readonly entry: Entry
      /** Of the segment. */
      readonly file: string
    }

/** Makes the log of a new store, durably. @param folder exists. */
export async function createLog(folder: string, storeId: string): Promise<void> {
  await createSegment(folder, { storeId, number: 1, firstGroup: 1 }, NO_SEGMENT)
}

/** @throws FolderRefused when the log is not complete; BucketError when the disk fails. */
export async function openLedger(options: OpenLedgerOptions): Promise<OpenLedger> {
  const {
    dataDir,
    storeId,
    assertFolderInPlace = () => undefined,
    hasFile = async () => true,
    onFinding,
    ...ofLog
  } = options
  const folder = join(dataDir, LAYOUT.ledger)
  const proof = readProof(dataDir, storeId)
  const known = readKnownEnd(dataDir, storeId)
  const segments = listLog(folder, storeId)
  const last = segments.at(-1)
  if (!last) throw new Error('a log has at least one segment')
  const began = performance.now()
  const earlier = laterEnd(known, proof?.covered)
  const end = await findEnd(last, storeId, earlier)
  const older = olderThan(end, earlier)
  if (older) throw older
  await tidy(folder, segments)
  const { index, covered } = await openLogIndex(dataDir, storeId, proof)
  try {
    const torn = await tornBytes(last, end)
    await cut(last, end)
    const {
      records,
      damage: found,
      backlog,
    } = await updateIndex(index, segments, storeId, {
      from: covered ?? LOG_BEGIN,
      end,
    })
    const seconds = (performance.now() - began) / 1000
    const hash = await hashSegment(last, end.offset)
    const log = await openAppendLog({ folder, storeId, tail: { ...end, hash }, ...ofLog })
    const keeper = await keepKnownEnd(log, dataDir, storeId, assertFolderInPlace)
    const reader = recordReader(folder, storeId)
    const held = heldBlobs()
    const lostRecords = found.filter(({ part }) => part === 'record').length
    const damage = { lostRecords, records: lostRecords }
    const ledger = logLedger({ log, index, backlog, reader, held, damage, assertFolderInPlace })
    const stopChecking = checkInBackground(
      { segments, storeId, end: covered ?? end, hasFile },
      {
        onDamage(late) {
          // A start that read the log has reported it.
          if (!covered) return
          if (late.part === 'record') damage.records += 1
          onFinding?.({ damage: late })
        },
        onWrongBytes: (entry, segment) => onFinding?.({ entry, file: segmentName(segment) }),
        onLost: (lost) => onFinding?.({ lost }),
      },
    )
    return {
      ledger,
      held,
      has: (ref) => backlog.has(ref) || index.get(ref) !== undefined,
      report: {
        entries: index.entries + backlog.size,
        tornBytes: torn,
        rebuilt: covered ? undefined : { records, seconds },
        isAfterCrash: known?.isStop !== true,
        damage: found,
      },
      assertEndInPlace: log.assertEndInPlace,
      assertInPlace: log.check,
      async close() {
        await stopChecking()
        const isComplete = await ledger.close()
        await keeper.close()
        const { end } = log
        reader.close()
        log.close()
        // An index without the damaged records gets no proof: the next start must read the log again. A folder that has taken the place
        // of this one gets none either, because it would vouch for the index there.
        await index.close(isComplete && found.length === 0 && holds(assertFolderInPlace) ? end : undefined)
      },
    }
  } catch (error) {
    await index.close(undefined)
    throw error
  }
}

function holds(assertion: () => void): boolean {
  try {
    assertion()
    return true
  } catch {
    return false
  }
}

/** A segment that was not finished has another name; a sealed one may still be writable. */
async function tidy(folder: string, segments: readonly LogSegment[]): Promise<void> {
  for (const name of await readdir(folder)) if (name.endsWith('.new')) rmSync(join(folder, name))
  for (const { path } of segments.slice(0, -1)) chmodSync(path, 0o444)
}

/** Bytes after the end were never acknowledged. Records before it must be durable before a reader sees them. */
async function cut({ path, size }: LogSegment, { offset }: LogPosition): Promise<void> {
  const fd = openSync(path, 'r+')
  try {
    if (size > offset) await truncateFile(fd, offset)
    else await syncFile(fd)
  } finally {
    closeSync(fd)
  }
}

async function updateIndex(
  index: LogIndex,
  segments: readonly LogSegment[],
  storeId: string,
  range: { readonly from: LogPosition; readonly end: LogPosition },
): Promise<{
  records: number
  damage: readonly LogDamage[]
  backlog: Map<string, RecordPosition>
}> {
  const damage: LogDamage[] = []
  const backlog = new Map<string, RecordPosition>()
  let records = 0
  let batch: [string, RecordPosition][] = []
  await readLog(segments, storeId, range, {
    record(segment, { kind, entryLength, length }, buffer, at, offset) {
      if (kind === 'removed') return
      records += 1
      batch.push([refOfRecord(buffer, at), { segment, offset, entryLength, length }])
    },
    damage: (found) => damage.push(found),
    async pause() {
      const added = batch
      batch = []
      // A full disk may not take the index. Stored artifacts can be read all the same.
      if (added.length > 0)
        await index.add(added).catch(() => {
          for (const [ref, position] of added) if (!backlog.has(ref)) backlog.set(ref, position)
        })
    },
  })
  return { records, damage, backlog }
}
