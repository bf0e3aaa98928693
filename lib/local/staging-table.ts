/**
 * The known staging files and the parts that arrived complete. A part is in this table only while its bytes are verified and durable. The
 * table alone therefore decides whether a staging file can be completed; after that no part can change.
 */
import type { ReceivedPart, UploadId } from '../domain/upload.ts'
import type { InPlace } from './in-place.ts'
import { type StagingFile, stagingFromRow, stagingRow } from './upload-row.ts'
import { keyOf, type UploadTables } from './upload-tables.ts'

/** The space that the parts of one upload take on the disk. */
export interface UploadSpace {
  readonly id: UploadId
  readonly bytes: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

export interface StagingTable extends Pick<InPlace, 'isInPlace'> {
  open(stagingId: string, stagingFile: Omit<StagingFile, 'isComplete'>): Promise<void>
  find(stagingId: string): StagingFile | undefined
  /** Every staging file by its staging id. */
  all(): Iterable<{ readonly stagingId: string; readonly stagingFile: StagingFile }>
  /** One for each staging file that has parts. */
  spaceOfUploads(): readonly UploadSpace[]
  /** The parts that arrived, by number. */
  parts(stagingId: string): readonly ReceivedPart[]
  part(stagingId: string, number: number): ReceivedPart | undefined
  /** Records that a part has arrived. @returns false if its staging file accepts no more parts. */
  record(stagingId: string, part: ReceivedPart): Promise<boolean>
  /** Removes a part before its bytes change. @returns false if its staging file accepts no more parts. */
  forget(stagingId: string, number: number): Promise<boolean>
  /** Accepts no more parts, if exactly `parts` have arrived. Repeating it changes nothing. @returns whether the staging file is complete. */
  complete(stagingId: string, parts: readonly ReceivedPart[]): Promise<boolean>
  drop(stagingId: string): Promise<void>
}

/** Numbers sort as text when they have the same length; S3's limit is 10,000 parts. */
const partKey = (stagingId: string, number: number) =>
  keyOf(`${stagingId}/${String(number).padStart(6, '0')}`)
/** `0` follows `/` in ASCII. */
const partRange = (stagingId: string) => ({ start: keyOf(`${stagingId}/`), end: keyOf(`${stagingId}0`) })

const isSame = (one: readonly ReceivedPart[], other: readonly ReceivedPart[]): boolean =>
  one.length === other.length &&
  one.every(({ number, size, sha256 }, at) => {
    const part = other[at]
    return part?.number === number && part.size === size && part.sha256 === sha256
  })

const sizeOf = (parts: readonly ReceivedPart[]): number => parts.reduce((sum, { size }) => sum + size, 0)

export function stagingTable({ stagingFiles, parts, transact, isInPlace }: UploadTables): StagingTable {
  const received = (stagingId: string) =>
    Array.from(parts.getRange(partRange(stagingId)), ({ value }) => value)
  const find = (stagingId: string) => {
    const row = stagingFiles.get(keyOf(stagingId))
    return row && stagingFromRow(row)
  }
  function* all() {
    for (const { key, value } of stagingFiles.getRange())
      yield { stagingId: key.toString('latin1'), stagingFile: stagingFromRow(value) }
  }
  const isOpen = (stagingId: string) => find(stagingId)?.isComplete === false

  return {
    isInPlace,

    async open(stagingId, stagingFile) {
      await transact(() =>
        stagingFiles.putSync(keyOf(stagingId), stagingRow({ ...stagingFile, isComplete: false })),
      )
    },
    find,
    all,
    spaceOfUploads: () =>
      Array.from(all(), ({ stagingId, stagingFile: { id, createdAt } }) => ({
        ...{ id, createdAt },
        bytes: sizeOf(received(stagingId)),
      })).filter(({ bytes }) => bytes > 0),
    parts: received,
    part: (stagingId, number) => parts.get(partKey(stagingId, number)),

    record: (stagingId, part) =>
      transact(() => {
        if (!isOpen(stagingId)) return false
        parts.putSync(partKey(stagingId, part.number), part)
        return true
      }),

    forget: (stagingId, number) =>
      transact(() => {
        if (!isOpen(stagingId)) return false
        parts.removeSync(partKey(stagingId, number))
        return true
      }),

    complete: (stagingId, expected) =>
      transact(() => {
        const key = keyOf(stagingId)
        const stagingFile = find(stagingId)
        if (!stagingFile || stagingFile.isComplete) return stagingFile !== undefined
        if (!isSame(received(stagingId), expected)) return false
        if (sizeOf(expected) !== stagingFile.size) return false
        stagingFiles.putSync(key, stagingRow({ ...stagingFile, isComplete: true }))
        return true
      }),

    async drop(stagingId) {
      await transact(() => {
        stagingFiles.removeSync(keyOf(stagingId))
        for (const key of Array.from(parts.getKeys(partRange(stagingId)))) parts.removeSync(key)
      })
    },
  }
}
