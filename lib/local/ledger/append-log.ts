/**
 * The end of the ledger's log. A group of records is appended with one write and made durable with one fdatasync before the caller may show
 * any of them. A failed group is cut off, so that the log always ends with a complete group.
 */
import { createHash, type Hash } from 'node:crypto'
import { chmodSync, closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { BucketError } from '../../domain/errors.ts'
import { KIB, MIB } from '../../domain/limits.ts'
import { closeFile, renameFile, syncFile, syncFolder, truncateFile, writeAll } from '../disk.ts'
import { diskError } from '../disk-error.ts'
import { statInPlace } from '../in-place.ts'
import { groupSync } from './group-sync.ts'
import { placeRecord } from './record.ts'
import { SealedSegments } from './sealed-segments.ts'
import {
  encodeHeader,
  type LogPosition,
  SEGMENT_HEADER_BYTES,
  type SealedSegment,
  segmentName,
  segmentSeed,
} from './segment.ts'

/** A segment that has reached this size is sealed before the next group, in bytes. */
const SEGMENT_BYTES = 64 * MIB

/**
 * How much room is reserved at a time, in bytes: zeros at the end of the file that later groups overwrite. To make an append to a file
 * durable, a file system with a journal has to commit the new length, too, which takes longer (docs/benchmarks.md).
 */
const RESERVED_BYTES = MIB
const ZEROS = Buffer.alloc(64 * KIB)

/** Where a record is in the log. */
export interface RecordPosition extends LogPosition {
  /** Bytes of header and entry. */
  readonly entryLength: number
  /** Bytes of the whole record. */
  readonly length: number
}

/** The end of the log, as found at start. */
export interface Tail extends LogPosition {
  readonly nextGroup: number
  /** SHA-256 of the bytes up to `offset`. */
  readonly hash: Hash
}

export interface AppendLog {
  /** After the last group. */
  readonly end: LogPosition
  /**
   * Appends one group, durably. Call it again only after it has settled.
   *
   * @param records as `encodeRecord` made them; at least one.
   * @throws BucketError `insufficient_storage`, `unavailable`; none of the group is in the log then.
   */
  append(records: readonly Buffer[]): Promise<readonly RecordPosition[]>
  /** @throws BucketError `unavailable` when the last segment was removed, replaced or changed by something else: nothing can be appended. */
  assertEndInPlace(): void
  /** @throws BucketError `unavailable` when any segment was. */
  check(): void
  close(): void
}

export interface AppendLogOptions {
  /** The folder of the segments. */
  readonly folder: string
  readonly storeId: string
  readonly tail: Tail
  readonly segmentBytes?: number
  /** How much room is reserved at a time. */
  readonly reservedBytes?: number
  /** How long a quick sync takes at most, in milliseconds; 0 runs all syncs on another thread. */
  readonly quickSyncMs?: number
}

export async function openAppendLog(options: AppendLogOptions): Promise<AppendLog> {
  const { folder, storeId, segmentBytes = SEGMENT_BYTES, reservedBytes = RESERVED_BYTES } = options
  const sync = groupSync(options.quickSyncMs)
  let { segment, offset, nextGroup, hash } = options.tail
  let fd = openSync(join(folder, segmentName(segment)), 'r+')
  let opened = fstatSync(fd)
  let seed = segmentSeed(storeId, segment)
  const sealed = new SealedSegments(folder, segment - 1)
  /** Of the file: from `offset` on, it has zeros. */
  let size = offset
  let canReserve = true
  /** A failed group may have left bytes after `offset`. */
  let isDirty = false
  let isAppending = false
  let isClosed = false

  async function cutOff(): Promise<void> {
    isDirty = true
    await truncateFile(fd, offset)
    size = offset
    isDirty = false
  }

  /** Reserves room for a group of `bytes`, and for more. */
  async function reserve(bytes: number): Promise<void> {
    const target = Math.min(offset + reservedBytes, segmentBytes)
    if (!canReserve || size - offset >= bytes || target - offset < bytes) return
    const pieces = Array.from({ length: Math.ceil((target - size) / ZEROS.length) }, (_, index) =>
      ZEROS.subarray(0, target - size - index * ZEROS.length),
    )
    try {
      await writeAll(fd, pieces, size)
      // By itself: the sync of the group is then a small one, which may run on this thread.
      await syncFile(fd)
      size = target
    } catch {
      // A disk without room for it may still have room for this group.
      canReserve = false
      await cutOff()
    }
  }

  async function sealSegment(): Promise<void> {
    if (size > offset) await cutOff()
    const summary = { length: offset, sha256: hash.copy().digest('hex') }
    const header = await createSegment(
      folder,
      { storeId, number: segment + 1, firstGroup: nextGroup },
      summary,
    )
    const next = openSync(join(folder, segmentName(segment + 1)), 'r+')
    chmodSync(join(folder, segmentName(segment)), 0o444)
    sealed.add()
    closeSync(fd)
    fd = next
    opened = fstatSync(fd)
    segment += 1
    offset = SEGMENT_HEADER_BYTES
    size = offset
    canReserve = true
    seed = segmentSeed(storeId, segment)
    hash = createHash('sha256').update(header)
  }

  /** Gives each record its place after the current end. */
  function place(records: readonly Buffer[]): RecordPosition[] {
    let at = offset
    return records.map((record, index) => {
      placeRecord(record, { seed, offset: at, group: nextGroup, index, rest: records.length - 1 - index })
      const position = { segment, offset: at, entryLength: record.readUInt16LE(26), length: record.length }
      at += record.length
      return position
    })
  }

  /** Bytes written to an unlinked file, or after bytes of another writer, would be lost. */
  function assertEndInPlace(): void {
    const found = statInPlace(join(folder, segmentName(segment)), opened)
    // An append in progress changes the size.
    if (found && (isAppending || isDirty || found.size === size)) return
    throw BucketError.needsOperator(
      `the ledger in ${folder} was removed or changed by something else: nothing is stored until the server is restarted`,
      'stop the server, run `bucket fsck` on its folder, and restart it',
    )
  }

  async function appendGroup(records: readonly Buffer[]): Promise<readonly RecordPosition[]> {
    const bytes = records.reduce((sum, { length }) => sum + length, 0)
    try {
      if (offset >= segmentBytes) await sealSegment()
      await reserve(bytes)
    } catch (error) {
      throw diskError(error)
    }
    const positions = place(records)
    isDirty = true
    try {
      await writeAll(fd, records, offset)
      await sync(fd)
    } catch (error) {
      // If this fails too, the next group retries it.
      await cutOff().catch(() => undefined)
      throw error
    }
    isDirty = false
    for (const record of records) hash.update(record)
    offset += bytes
    size = Math.max(size, offset)
    nextGroup += 1
    return positions
  }

  const log: AppendLog = {
    get end() {
      return { segment, offset }
    },

    async append(records) {
      // The descriptor may belong to another file by now.
      if (isClosed) throw BucketError.unavailable('the server is stopping')
      if (isDirty) await cutOff()
      assertEndInPlace()
      isAppending = true
      try {
        return await appendGroup(records)
      } finally {
        isAppending = false
      }
    },

    assertEndInPlace,

    check() {
      assertEndInPlace()
      sealed.check()
    },

    close() {
      isClosed = true
      try {
        // A file that something else has changed stays as it is.
        if (size > offset && (isDirty || fstatSync(fd).size === size)) {
          ftruncateSync(fd, offset)
          size = offset
        }
      } catch {
        // Zeros at the end do no harm: the next start cuts them off.
      }
      closeSync(fd)
    },
  }
  await reserve(1)
  return log
}

/**
 * Creates the next segment of a log durably. It gets its name only after its header is on disk.
 *
 * @returns the header.
 */
export async function createSegment(
  folder: string,
  { storeId, number, firstGroup }: { storeId: string; number: number; firstGroup: number },
  previous: SealedSegment,
): Promise<Buffer> {
  const header = encodeHeader({ storeId, number, firstGroup, previous, replaces: null })
  const path = join(folder, segmentName(number))
  const fd = openSync(`${path}.new`, 'w', 0o600)
  try {
    await writeAll(fd, [header], 0)
    await syncFile(fd)
  } finally {
    await closeFile(fd)
  }
  await renameFile(`${path}.new`, path)
  await syncFolder(folder)
  return header
}
