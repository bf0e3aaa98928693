/** Reads single records of the log at positions from the index. A returned record has a valid checksum and the right ref. */
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { BucketError } from '../../domain/errors.ts'
import { diskError } from '../disk-error.ts'
import type { RecordPosition } from './append-log.ts'
import {
  blobOfRecord,
  decodeEntry,
  MAX_RECORD_BYTES,
  type RecordContent,
  readFrame,
  refOfRecord,
} from './record.ts'
import { segmentName, segmentSeed } from './segment.ts'

/** The number of segments that are kept open for reading. */
const OPEN_SEGMENTS = 64

export interface RecordReader {
  /**
   * Reads the record of `ref`, with its blob where the record holds one.
   *
   * @throws BucketError `unavailable` when the record is damaged, or the disk fails.
   */
  read(ref: string, position: RecordPosition): RecordContent
  /** As `read`, without the blob. */
  readEntry(ref: string, position: RecordPosition): Omit<RecordContent, 'bytes'>
  close(): void
}

/** @param folder of the segments. */
export function recordReader(folder: string, storeId: string): RecordReader {
  const open = new Map<number, { readonly fd: number; readonly seed: number }>()
  const buffer = Buffer.allocUnsafeSlow(MAX_RECORD_BYTES)

  function segmentOf(number: number) {
    const known = open.get(number)
    if (known) return known
    for (const [oldest, { fd }] of open) {
      if (open.size < OPEN_SEGMENTS) break
      closeSync(fd)
      open.delete(oldest)
    }
    const segment = {
      fd: openSync(join(folder, segmentName(number)), 'r'),
      seed: segmentSeed(storeId, number),
    }
    open.set(number, segment)
    return segment
  }

  /** Reads the record's first `length` bytes into `buffer`. */
  function load(ref: string, position: RecordPosition, length: number) {
    const { segment, offset } = position
    try {
      const { fd, seed } = segmentOf(segment)
      if (readSync(fd, buffer, 0, length, offset) === length) {
        const frame = readFrame(buffer, 0, position.length, seed, offset)
        if (frame && refOfRecord(buffer, 0) === ref) return frame
      }
    } catch (error) {
      throw diskError(error)
    }
    throw BucketError.ledgerDamaged(
      `the record of ${ref} is damaged: ${segmentName(segment)} of the ledger, byte ${offset}`,
    )
  }

  return {
    read(ref, position) {
      const frame = load(ref, position, position.length)
      const blob = blobOfRecord(buffer, 0, frame)
      return { ...decodeEntry(buffer, 0, frame), bytes: blob && Buffer.from(blob) }
    },
    readEntry(ref, position) {
      return decodeEntry(buffer, 0, load(ref, position, position.entryLength))
    },
    close() {
      for (const { fd } of open.values()) closeSync(fd)
    },
  }
}
