/**
 * Removes records from a log while no server has it open: for lawful erasure, and to discard damaged records. The segment is rewritten
 * under another name, with the bytes of the removed records replaced, and renamed over the old one only when it is complete and durable. No
 * other record moves. The header keeps the digest that the next segment has recorded.
 */
import { chmodSync, chownSync, closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { closeFile, renameFile, syncFile, syncFolder, writeAll } from '../disk.ts'
import type { LogSegment } from './read-log.ts'
import { encodeRemoved, MAX_RECORD_BYTES, placeRecord, readFrame } from './record.ts'
import { encodeHeader, type SegmentHeader, segmentSeed } from './segment.ts'

/** Bytes of a segment, from `offset` on. */
export interface Span {
  readonly offset: number
  readonly length: number
}

/**
 * Replaces the bytes of `spans` with removed records, durably. Safe to repeat after a crash at any point.
 *
 * @param segment a sealed one, or the last one; up to 64 MiB are held in memory.
 * @param spans each begins and ends with a record.
 * @param header the content of the header; a damaged one is rewritten.
 */
export async function rewriteSegment(
  segment: LogSegment,
  storeId: string,
  spans: readonly Span[],
  header: SegmentHeader,
): Promise<void> {
  const bytes = readFileSync(segment.path)
  const seed = segmentSeed(storeId, segment.number)
  for (const span of spans) removeSpan(bytes, seed, span)
  encodeHeader(header).copy(bytes)
  const temporary = `${segment.path}.new`
  const old = openSync(segment.path, 'r')
  const { mode, uid, gid } = fstatSync(old)
  closeSync(old)
  const fd = openSync(temporary, 'w', 0o600)
  try {
    await writeAll(fd, [bytes], 0)
    await syncFile(fd)
  } finally {
    await closeFile(fd)
  }
  // Run by root, it would otherwise take the file away from the user of the server.
  if (process.getuid?.() === 0) chownSync(temporary, uid, gid)
  chmodSync(temporary, mode & 0o777)
  await renameFile(temporary, segment.path)
  await syncFolder(dirname(segment.path))
}

/** A removed record keeps the group of the one that it replaces, or has none if that cannot be read. */
function removeSpan(bytes: Buffer, seed: number, { offset, length }: Span): void {
  for (let at = offset; at < offset + length; ) {
    const left = offset + length - at
    const frame = readFrame(bytes, at, bytes.length, seed, at)
    const size = frame?.length ?? sizeOfRemoved(left)
    const removed = encodeRemoved(size)
    const { group, index, rest } = frame ?? { group: 0, index: 0, rest: 0 }
    placeRecord(removed, { seed, offset: at, group, index, rest })
    removed.copy(bytes, at)
    at += size
  }
}

/** Leaves no gap that is too short for a record. */
const sizeOfRemoved = (left: number): number =>
  left <= MAX_RECORD_BYTES ? left : Math.min(MAX_RECORD_BYTES, left - 4096)
