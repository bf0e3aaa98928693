/**
 * One record of the ledger's log: an entry, and the bytes of its blob when they are small. Integers are little-endian.
 *
 *     0   4  'BKR1'
 *     4   4  CRC-32 of bytes 8 to the end of the entry, seeded with the segment and the offset of the record
 *     8   4  length of the record in bytes
 *     12  4  CRC-32 of the blob's bytes
 *     16  6  number of the group; groups count from 1 without gaps
 *     22  2  how many records of the same group come before this one
 *     24  2  how many records of the same group follow
 *     26  2  length of header and entry in bytes; the blob's bytes follow
 *     28  2  length of the reference
 *     30  2  length of the commit id
 *     32  32 digest
 *     64  8  size of the blob in bytes (float64)
 *     72  8  creation time in milliseconds since the epoch (float64)
 *     80  1  kind
 *     81  3  0
 *     84     reference, commit id, and the description as a JSON object, each in UTF-8
 *
 * The checksum is seeded because blobs are the users' bytes: a blob that contains a well-formed record must never be read as one,
 * and a record that was copied to another place must not pass.
 */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { digestFromHex, digestHex } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { formatRef } from '../../domain/identifiers.ts'
import { KIB } from '../../domain/limits.ts'
import { parseRef } from '../../domain/refs.ts'
import { descriptionFromRow, descriptionRow } from '../description-row.ts'

export const RECORD_MAGIC = Buffer.from('BKR1', 'latin1')
const MAGIC_NUMBER = RECORD_MAGIC.readUInt32LE()
const HEADER_BYTES = 84
/** The largest blob that is kept in a record, in bytes. */
export const SMALL_BLOB_BYTES = 16 * KIB
const MAX_ENTRY_BYTES = 8 * KIB
/** No record is longer, in bytes. */
export const MAX_RECORD_BYTES = MAX_ENTRY_BYTES + SMALL_BLOB_BYTES
/** `rest` counts up to here. */
export const MAX_GROUP_RECORDS = 0xffff

const KINDS = { inline: 1, file: 2, removed: 3 } as const
/** Where the blob's bytes are: in the record, or in a file. `removed` marks the place of an erased or discarded record. */
export type RecordKind = keyof typeof KINDS
const KIND_OF: readonly (RecordKind | undefined)[] = [undefined, 'inline', 'file', 'removed']

/** The frame of a record with a valid checksum. */
export interface RecordFrame {
  readonly kind: RecordKind
  /** Bytes of the whole record. */
  readonly length: number
  /** Bytes of header and entry. */
  readonly entryLength: number
  readonly group: number
  /** How many records of the same group come before this one. */
  readonly index: number
  /** How many records of the same group follow. */
  readonly rest: number
}

export interface RecordContent {
  readonly entry: Entry
  readonly commitId: string
  /** The blob, when it is kept in the record. */
  readonly bytes: Uint8Array | undefined
}

/** Writes everything except the record's place, which `placeRecord` adds. */
export function encodeRecord({ entry, commitId, bytes }: RecordContent): Buffer {
  const ref = formatRef(entry.ref)
  const description = JSON.stringify(descriptionRow(entry))
  const commitBytes = Buffer.byteLength(commitId)
  const entryLength = HEADER_BYTES + ref.length + commitBytes + Buffer.byteLength(description)
  if (entryLength > MAX_ENTRY_BYTES)
    throw new RangeError(`an entry of ${entryLength} bytes does not fit into a record`)
  if ((bytes?.byteLength ?? 0) > SMALL_BLOB_BYTES)
    throw new RangeError(`a blob of ${bytes?.byteLength} bytes does not fit into a record`)
  const record = Buffer.allocUnsafe(entryLength + (bytes?.byteLength ?? 0))
  record.set(RECORD_MAGIC, 0)
  record.writeUInt32LE(record.length, 8)
  record.writeUInt32LE(bytes ? crc32(bytes) : 0, 12)
  record.writeUInt16LE(entryLength, 26)
  record.writeUInt16LE(ref.length, 28)
  record.writeUInt16LE(commitBytes, 30)
  record.write(digestHex(entry.digest), 32, 'hex')
  record.writeDoubleLE(entry.size, 64)
  record.writeDoubleLE(Date.parse(entry.createdAt), 72)
  record.writeUInt32LE(bytes ? KINDS.inline : KINDS.file, 80)
  record.write(ref, HEADER_BYTES, 'latin1')
  record.write(commitId, HEADER_BYTES + ref.length)
  record.write(description, HEADER_BYTES + ref.length + commitBytes)
  if (bytes) record.set(bytes, entryLength)
  return record
}

/** A record that replaces others, so that no record after it moves. @param length of the gap, in bytes. */
export function encodeRemoved(length: number): Buffer {
  if (length < HEADER_BYTES || length > MAX_RECORD_BYTES)
    throw new RangeError(`a removed record cannot have ${length} bytes`)
  const record = Buffer.alloc(length)
  record.set(RECORD_MAGIC, 0)
  record.writeUInt32LE(length, 8)
  record.writeUInt16LE(HEADER_BYTES, 26)
  record.writeUInt32LE(KINDS.removed, 80)
  return record
}

/** Where a record goes: its place in a segment, and in a group. */
export interface RecordPlace extends Pick<RecordFrame, 'group' | 'index' | 'rest'> {
  /** Of the segment. */
  readonly seed: number
  /** Bytes from the beginning of the segment. */
  readonly offset: number
}

/** Writes the place of a record, and the checksum that covers it. */
export function placeRecord(record: Buffer, { seed, offset, group, index, rest }: RecordPlace): void {
  record.writeUIntLE(group, 16, 6)
  record.writeUInt16LE(index, 22)
  record.writeUInt16LE(rest, 24)
  record.writeUInt32LE(checksum(record, 0, record.readUInt16LE(26), seed, offset), 4)
}

/** The same bytes have another checksum at every other offset, because CRC-32 is a bijection of its initial value. */
const checksum = (buffer: Buffer, at: number, entryLength: number, seed: number, offset: number): number =>
  crc32(buffer.subarray(at + 8, at + entryLength), (seed ^ offset) >>> 0)

/**
 * Reads the frame of the record at `at`.
 * @param end of the bytes in `buffer`; a record that goes beyond it is incomplete.
 * @param offset of the record in its segment, in bytes.
 * @returns undefined unless a record with a valid checksum begins here. The blob's bytes have a checksum of their own.
 */
export function readFrame(
  buffer: Buffer,
  at: number,
  end: number,
  seed: number,
  offset: number,
): RecordFrame | undefined {
  if (end - at < HEADER_BYTES || buffer.readUInt32LE(at) !== MAGIC_NUMBER) return undefined
  const length = buffer.readUInt32LE(at + 8)
  const entryLength = buffer.readUInt16LE(at + 26)
  const kind = KIND_OF[buffer.readUInt32LE(at + 80)]
  if (kind === undefined || entryLength < HEADER_BYTES || entryLength > length) return undefined
  if (length > MAX_RECORD_BYTES || length > end - at) return undefined
  if (buffer.readUInt32LE(at + 4) !== checksum(buffer, at, entryLength, seed, offset)) return undefined
  return {
    kind,
    length,
    entryLength,
    group: buffer.readUIntLE(at + 16, 6),
    index: buffer.readUInt16LE(at + 22),
    rest: buffer.readUInt16LE(at + 24),
  }
}

/** `bucket/artifact/version` of the record at `at`, whose frame was read. */
export const refOfRecord = (buffer: Buffer, at: number): string =>
  buffer.toString('latin1', at + HEADER_BYTES, at + HEADER_BYTES + buffer.readUInt16LE(at + 28))

/** The size of the blob, in bytes, of the record at `at`, whose frame was read. */
export const blobSizeOfRecord = (buffer: Buffer, at: number): number => buffer.readDoubleLE(at + 64)

/** Reads the entry of the record at `at`, whose frame was read. */
export function decodeEntry(buffer: Buffer, at: number, frame: RecordFrame): Omit<RecordContent, 'bytes'> {
  const ref = refOfRecord(buffer, at)
  const commitAt = at + HEADER_BYTES + ref.length
  const descriptionAt = commitAt + buffer.readUInt16LE(at + 30)
  return {
    commitId: buffer.toString('utf8', commitAt, descriptionAt),
    entry: {
      ref: parseRef(ref),
      digest: digestFromHex(buffer.toString('hex', at + 32, at + 64)),
      size: blobSizeOfRecord(buffer, at),
      ...descriptionFromRow(JSON.parse(buffer.toString('utf8', descriptionAt, at + frame.entryLength))),
      createdAt: new Date(buffer.readDoubleLE(at + 72)).toISOString(),
    },
  }
}

/** The blob's bytes in the record at `at`, as a view; undefined when they are in a file. */
export const blobOfRecord = (buffer: Buffer, at: number, frame: RecordFrame): Buffer | undefined =>
  frame.kind === 'inline' ? buffer.subarray(at + frame.entryLength, at + frame.length) : undefined

/** Whether the blob's bytes have their checksum. True if the record has no bytes. */
export const isBlobIntact = (buffer: Buffer, at: number, frame: RecordFrame): boolean =>
  frame.kind !== 'inline' ||
  crc32(buffer.subarray(at + frame.entryLength, at + frame.length)) === buffer.readUInt32LE(at + 12)

/** Whether `blob`, the bytes in the record at `at`, are those that its entry promises. */
export const isBlobRight = (buffer: Buffer, at: number, blob: Buffer): boolean =>
  blob.byteLength === blobSizeOfRecord(buffer, at) &&
  hash('sha256', blob, 'hex') === buffer.toString('hex', at + 32, at + 64)
