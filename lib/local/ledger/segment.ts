/**
 * A segment of the ledger's log: one file that only grows, and never changes again once the next segment exists. A segment's header
 * names the store that it belongs to, and holds length and SHA-256 of the segment before it. Integers are little-endian.
 *
 *     0   16 'bucket-ledger 2\n'
 *     16  16 id of the store
 *     32  4  number of the segment, from 1
 *     36  4  0
 *     40  8  number of its first group (float64)
 *     48  8  length of the previous segment in bytes (float64); 0 in the first
 *     56  32 SHA-256 of the previous segment; zeros in the first
 *     88  32 SHA-256 that this segment had before it was rewritten (rewrite-segment.ts); zeros otherwise
 *     120 4  0
 *     124 4  CRC-32 of bytes 0 to 123
 */
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { readInto } from '../disk.ts'
import { MAX_RECORD_BYTES, RECORD_MAGIC, type RecordFrame, readFrame } from './record.ts'

const MAGIC = Buffer.from('bucket-ledger 2\n', 'latin1')
export const SEGMENT_HEADER_BYTES = 128

/** A place in the log. */
export interface LogPosition {
  /** Number of the segment. */
  readonly segment: number
  /** Bytes from the beginning of the segment. */
  readonly offset: number
}

/** The place of the first record. */
export const LOG_BEGIN: LogPosition = { segment: 1, offset: SEGMENT_HEADER_BYTES }

export interface SegmentHeader {
  /** Of the store: a UUID. */
  readonly storeId: string
  readonly number: number
  readonly firstGroup: number
  readonly previous: SealedSegment
  /** 64 hex digits, or null when the segment was never rewritten. */
  readonly replaces: string | null
}

/** The summary of a sealed segment that the next segment holds. */
export interface SealedSegment {
  /** Bytes. */
  readonly length: number
  /** 64 hex digits. */
  readonly sha256: string
}

const NO_DIGEST = '0'.repeat(64)
/** The summary before the first segment. */
export const NO_SEGMENT: SealedSegment = { length: 0, sha256: NO_DIGEST }

export function encodeHeader({ storeId, number, firstGroup, previous, replaces }: SegmentHeader): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.set(MAGIC, 0)
  header.write(storeId.replaceAll('-', ''), 16, 'hex')
  header.writeUInt32LE(number, 32)
  header.writeDoubleLE(firstGroup, 40)
  header.writeDoubleLE(previous.length, 48)
  header.write(previous.sha256, 56, 'hex')
  header.write(replaces ?? NO_DIGEST, 88, 'hex')
  header.writeUInt32LE(crc32(header.subarray(0, 124)), 124)
  return header
}

/** @returns undefined when the header is damaged. */
export function decodeHeader(header: Buffer): SegmentHeader | undefined {
  if (header.byteLength < SEGMENT_HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC))
    return undefined
  if (header.readUInt32LE(124) !== crc32(header.subarray(0, 124))) return undefined
  const replaces = header.toString('hex', 88, 120)
  return {
    storeId: header.toString('hex', 16, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    number: header.readUInt32LE(32),
    firstGroup: header.readDoubleLE(40),
    previous: { length: header.readDoubleLE(48), sha256: header.toString('hex', 56, 88) },
    replaces: replaces === NO_DIGEST ? null : replaces,
  }
}

/** Seeds the checksums of a segment's records. It does not depend on bytes of the segment, which may be damaged. */
export const segmentSeed = (storeId: string, number: number): number =>
  createHash('sha256').update(`${storeId}/${number}`).digest().readUInt32LE(0)

export const segmentName = (number: number): string => `${String(number).padStart(8, '0')}.log`

/** The numbers of the segments in a folder, ascending. */
export const segmentNumbers = (folder: string): readonly number[] =>
  readdirSync(folder)
    .flatMap((name) => (/^\d{8,}\.log$/.test(name) ? [Number.parseInt(name, 10)] : []))
    .sort((a, b) => a - b)

export interface ScanVisitor {
  /** All bytes, in order, before the records in them. `bytes` is reused after the call. */
  bytes?(bytes: Buffer): void
  /** A record with the right checksum. `buffer` is reused after the call. */
  record(frame: RecordFrame, buffer: Buffer, at: number, offset: number): void
  /** Bytes in which no record can be recognized. */
  damage(offset: number, length: number): void
  /** Called after each window; the next record is read after it. */
  pause?(): Promise<void>
}

const WINDOW_BYTES = 4 * 1024 * 1024

/**
 * Memory for reading records.
 *
 * @param most bytes that are to be read in all.
 */
export const newWindow = (most: number, windowBytes = WINDOW_BYTES): Buffer =>
  Buffer.allocUnsafeSlow(Math.max(1, Math.min(windowBytes, most)))

export interface ScanRange {
  readonly seed: number
  /** Offset of the first record to read, in bytes. */
  readonly from: number
  /** Where the segment ends, in bytes. */
  readonly end: number
  /** As many bytes are read at once: at least a record, or all of them. */
  readonly window?: Buffer
}

/**
 * Reads the records of a segment in order. After damage it continues at the next record with the right checksum.
 *
 * @throws BucketError `unavailable` when the disk fails.
 */
export async function scanRecords(
  fd: number,
  { seed, from, end, window = newWindow(end - from) }: ScanRange,
  visitor: ScanVisitor,
): Promise<void> {
  /** The offset of the window's first byte. */
  let base = from
  let filled = 0
  let damagedFrom: number | undefined
  while (base < end) {
    const read = await readInto(
      fd,
      window,
      filled,
      Math.min(window.length, end - base) - filled,
      base + filled,
    )
    visitor.bytes?.(window.subarray(filled, filled + read))
    filled += read
    const isLast = base + filled >= end || read === 0
    let at = 0
    while (at < filled && (isLast || filled - at >= MAX_RECORD_BYTES)) {
      const frame = readFrame(window, at, filled, seed, base + at)
      if (frame) {
        if (damagedFrom !== undefined) visitor.damage(damagedFrom, base + at - damagedFrom)
        damagedFrom = undefined
        visitor.record(frame, window, at, base + at)
        at += frame.length
      } else {
        damagedFrom ??= base + at
        const next = window.subarray(0, filled).indexOf(RECORD_MAGIC, at + 1)
        // The magic may begin in the last three bytes.
        at = next >= 0 ? next : isLast ? filled : Math.max(at + 1, filled - RECORD_MAGIC.length + 1)
      }
    }
    await visitor.pause?.()
    if (isLast) break
    window.copyWithin(0, at, filled)
    base += at
    filled -= at
  }
  if (damagedFrom !== undefined) visitor.damage(damagedFrom, end - damagedFrom)
}
