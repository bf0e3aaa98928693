/**
 * Reads the ledger's log from its files: its segments, its end, and every record in order. It distinguishes two kinds of bad bytes. A power
 * cut can tear only the last group, because a group is written after the one before it is durable: a torn group was never acknowledged, and
 * is cut off. Everything else is damage, and is reported.
 */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { KIB } from '../../domain/limits.ts'
import { hashFile, readAt, readInto } from '../disk.ts'
import { FolderDamaged } from '../folder-format.ts'
import { isBlobIntact, type RecordFrame } from './record.ts'
import {
  decodeHeader,
  type LogPosition,
  NO_SEGMENT,
  newWindow,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  scanRecords,
  segmentName,
  segmentNumbers,
  segmentSeed,
} from './segment.ts'

export interface LogSegment {
  readonly number: number
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Undefined when it is damaged. */
  readonly header: SegmentHeader | undefined
}

/** The bytes of a segment that belong to a log up to `end`: an unfinished group and reserved room may follow them. */
export const lengthUpTo = ({ number, size }: LogSegment, end: LogPosition): number =>
  number === end.segment ? end.offset : size

/** Bytes of the log with a wrong checksum. */
export interface LogDamage {
  /** Name of the segment's file. */
  readonly file: string
  /** Bytes from the beginning of the segment. */
  readonly offset: number
  readonly length: number
  /** Damage to a header loses no record. */
  readonly part: 'header' | 'record'
}

export const describeDamage = ({ file, offset, length, part }: LogDamage): string =>
  part === 'header'
    ? `the header of ${file} is damaged; no record is lost by that`
    : `${length} bytes from byte ${offset} of ${file} are damaged: the records in them cannot be read`

/**
 * The segments of a log, in order.
 *
 * @throws FolderDamaged when one is missing, cut short, or of another store.
 */
export function listLog(folder: string, storeId: string): readonly LogSegment[] {
  const numbers = existsSync(folder) ? segmentNumbers(folder) : []
  if (numbers.length === 0) throw lost(folder, 'it has no segments')
  const missing = numbers.findIndex((number, index) => number !== index + 1)
  if (missing >= 0) throw lost(folder, `${segmentName(missing + 1)} is missing`)
  const segments = numbers.map((number) => readSegment(folder, number))
  for (const [index, { number, header }] of segments.entries()) {
    if (!header) continue
    const name = segmentName(number)
    if (header.storeId !== storeId)
      throw lost(folder, `${name} belongs to another store (${header.storeId}, not ${storeId})`)
    if (header.number !== number) throw lost(folder, `${name} is segment ${header.number} under another name`)
    const previous = segments[index - 1]
    const { length } = header.previous
    if ((previous?.size ?? NO_SEGMENT.length) !== length)
      throw lost(folder, `${segmentName(number - 1)} has ${previous?.size} bytes instead of ${length}`)
  }
  return segments
}

const lost = (folder: string, what: string) =>
  new FolderDamaged(
    `the ledger in ${folder} is not complete: ${what}`,
    'Restore the whole data folder, or this file of it, from a backup. Starting without it would forget stored artifacts.',
  )

/** Reads the header of a segment. @param folder of the segments. */
export function readSegment(folder: string, number: number): LogSegment {
  const path = join(folder, segmentName(number))
  const fd = openSync(path, 'r')
  try {
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
    readSync(fd, header, 0, SEGMENT_HEADER_BYTES, 0)
    return { number, path, size: fstatSync(fd).size, header: decodeHeader(header) }
  } finally {
    closeSync(fd)
  }
}

/** Calls `use` with an open segment. */
async function withSegment<T>(segment: LogSegment, use: (fd: number) => Promise<T>): Promise<T> {
  const fd = openSync(segment.path, 'r')
  try {
    return await use(fd)
  } finally {
    closeSync(fd)
  }
}

export interface FoundEnd extends LogPosition {
  readonly nextGroup: number
  /** Something was written up to here, in bytes: a group, or what is left of one. Reserved room comes after it. */
  readonly reached: number
}

/**
 * Finds the end of the last whole group.
 *
 * @param segment the last one of the log.
 * @param known where the log is known to have ended before: a torn group can only come after it.
 */
export async function findEnd(
  segment: LogSegment,
  storeId: string,
  known: LogPosition | undefined,
): Promise<FoundEnd> {
  const seed = segmentSeed(storeId, segment.number)
  const groups = new GroupTracker((segment.header?.firstGroup ?? 1) - 1)
  await withSegment(segment, (fd) =>
    scanRecords(
      fd,
      { seed, from: SEGMENT_HEADER_BYTES, end: segment.size },
      {
        record: (frame, buffer, at, offset) => groups.record(frame, offset, isBlobIntact(buffer, at, frame)),
        damage: () => groups.damage(),
      },
    ),
  )
  const { number, size } = segment
  const end = { segment: number, ...groups.end(SEGMENT_HEADER_BYTES) }
  const reached = Math.min(end.offset + (await tornBytes(segment, end)), size)
  const isInside = known?.segment === number && known.offset <= reached
  return { ...end, reached, ...(isInside && groups.end(known.offset)) }
}

/**
 * The bytes of an unfinished group after the end of a log. Zeros at the end of the file are room that was reserved.
 *
 * @param segment the last one.
 */
export const tornBytes = (segment: LogSegment, { offset }: LogPosition): Promise<number> =>
  withSegment(segment, async (fd) => {
    const window = Buffer.allocUnsafe(64 * KIB)
    for (let to = segment.size; to > offset; ) {
      const from = Math.max(offset, to - window.length)
      const read = await readInto(fd, window, 0, to - from, from)
      const last = window.subarray(0, read).findLastIndex((byte) => byte !== 0)
      if (last >= 0) return from + last + 1 - offset
      to = from
    }
    return 0
  })

/** Follows the groups of the last segment, and decides whether the last one is whole. */
class GroupTracker {
  #previous: { readonly end: number; readonly frame: RecordFrame } | undefined
  /** Of the last group so far. */
  #group: number
  #start = SEGMENT_HEADER_BYTES
  #isBroken = false
  #damaged = false

  constructor(groupBefore: number) {
    this.#group = groupBefore
  }

  damage(): void {
    this.#damaged = true
  }

  record(frame: RecordFrame, offset: number, isIntact: boolean): void {
    const previous = this.#previous
    if (frame.group === 0) {
      // It replaces damage, and was durable before everything after it.
      this.#start = offset
      this.#isBroken = false
    } else if (frame.group !== this.#group) {
      const isFirst = frame.index === 0
      // Its first records may be among the damaged bytes. They are the only ones there if the previous two groups are complete.
      const follows = frame.group === this.#group + 1 && (previous === undefined || previous.frame.rest === 0)
      this.#start = !isFirst && follows ? (previous?.end ?? SEGMENT_HEADER_BYTES) : offset
      this.#isBroken = !isFirst
      this.#group = frame.group
    } else {
      this.#isBroken ||= this.#damaged
    }
    this.#isBroken ||= !isIntact
    this.#damaged = false
    this.#previous = { end: offset + frame.length, frame }
  }

  /** @param least the log is known to be complete up to here. */
  end(least: number): { readonly offset: number; readonly nextGroup: number } {
    const previous = this.#previous
    if (previous === undefined) return { offset: least, nextGroup: this.#group + 1 }
    const isWhole = !this.#isBroken && previous.frame.rest === 0
    const offset = Math.max(least, isWhole ? previous.end : this.#start)
    return { offset, nextGroup: isWhole || offset > this.#start ? this.#group + 1 : this.#group }
  }
}

/** The events for a reader of the log, in order. `buffer` is reused after each call. */
export interface LogVisitor {
  record(segment: number, frame: RecordFrame, buffer: Buffer, at: number, offset: number): void
  damage(damage: LogDamage): void
  /** Called after each sealed segment that was read from its first record on, with the SHA-256 of its file, which costs extra. */
  sealed?(segment: LogSegment, sha256: string): void
  /** Called after each window; the next record is read after it. */
  pause?(): Promise<void>
}

/**
 * Reads every record of a log.
 *
 * @param range where to begin, the end as `findEnd` found it, and how many bytes are read at once, if not 4 MiB.
 */
export async function readLog(
  segments: readonly LogSegment[],
  storeId: string,
  {
    from,
    end,
    windowBytes,
  }: { readonly from: LogPosition; readonly end: LogPosition; readonly windowBytes?: number | undefined },
  visitor: LogVisitor,
): Promise<void> {
  // One for all segments: the memory of a reader does not depend on the length of the log.
  const window = newWindow(Math.max(...segments.map(({ size }) => size)), windowBytes)
  for (const segment of segments) {
    const { number } = segment
    const file = segmentName(number)
    if (!segment.header) visitor.damage({ file, offset: 0, length: SEGMENT_HEADER_BYTES, part: 'header' })
    if (number < from.segment) continue
    const seed = segmentSeed(storeId, number)
    const range = {
      from: number === from.segment ? from.offset : SEGMENT_HEADER_BYTES,
      end: lengthUpTo(segment, end),
    }
    const isWhole = number !== end.segment && range.from === SEGMENT_HEADER_BYTES
    const hash = visitor.sealed && isWhole ? createHash('sha256') : undefined
    await withSegment(segment, async (fd) => {
      hash?.update(await readAt(fd, 0, SEGMENT_HEADER_BYTES))
      await scanRecords(
        fd,
        { seed, ...range, window },
        {
          bytes: (bytes) => hash?.update(bytes),
          record: (frame, buffer, at, offset) => visitor.record(number, frame, buffer, at, offset),
          damage: (offset, length) => visitor.damage({ file, offset, length, part: 'record' }),
          pause: async () => visitor.pause?.(),
        },
      )
    })
    if (hash) visitor.sealed?.(segment, hash.digest('hex'))
  }
}

/** SHA-256 of a segment's first `length` bytes. */
export const hashSegment = (segment: LogSegment, length: number): Promise<Hash> =>
  withSegment(segment, (fd) => hashFile(fd, length))
