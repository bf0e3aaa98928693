/**
 * What is known about the parts of uploads: which places there are, and which parts arrived whole. A part stands here only while
 * its bytes are right and durable, so the table alone says whether a place can be completed, and after that none can change.
 */
import type { ReceivedPart } from '../repository/upload-ports.ts'
import { keyOf, type PlaceRow, type UploadTables } from './upload-tables.ts'

export interface PartsTable {
  open(stagingId: string, place: Omit<PlaceRow, 'isComplete'>): Promise<void>
  find(stagingId: string): PlaceRow | undefined
  /** Every place by its staging id. */
  all(): Iterable<{ readonly stagingId: string; readonly place: PlaceRow }>
  /** The parts that arrived, by number. */
  parts(stagingId: string): readonly ReceivedPart[]
  part(stagingId: string, number: number): ReceivedPart | undefined
  /** Notes that a part has arrived. @returns false when its place takes none any more. */
  record(stagingId: string, part: ReceivedPart): Promise<boolean>
  /** Forgets a part, before its bytes change. @returns false when its place takes none any more. */
  forget(stagingId: string, number: number): Promise<boolean>
  /** Lets no part arrive any more, if exactly `parts` have. Again is the same. @returns whether the place is complete. */
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

export function partsTable({ places, parts, transact }: UploadTables): PartsTable {
  const received = (stagingId: string) =>
    Array.from(parts.getRange(partRange(stagingId)), ({ value }) => value)
  const isOpen = (stagingId: string) => places.get(keyOf(stagingId))?.isComplete === false

  return {
    async open(stagingId, place) {
      await transact(() => places.putSync(keyOf(stagingId), { ...place, isComplete: false }))
    },
    find: (stagingId) => places.get(keyOf(stagingId)),
    *all() {
      for (const { key, value } of places.getRange())
        yield { stagingId: key.toString('latin1'), place: value }
    },
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
        const place = places.get(key)
        if (!place || place.isComplete) return place !== undefined
        if (!isSame(received(stagingId), expected)) return false
        const size = expected.reduce((sum, part) => sum + part.size, 0)
        if (size !== place.size) return false
        places.putSync(key, { ...place, isComplete: true })
        return true
      }),

    async drop(stagingId) {
      await transact(() => {
        places.removeSync(keyOf(stagingId))
        for (const key of Array.from(parts.getKeys(partRange(stagingId)))) parts.removeSync(key)
      })
    },
  }
}
