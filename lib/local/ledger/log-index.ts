/**
 * The index of the ledger's log: the position of each reference's record, in the byte order of references. It can be rebuilt from the log,
 * so it is never synced. It is trusted only with a proof: the SHA-256 of its file, which a server writes at a clean stop. An index that
 * does not match its proof is rebuilt.
 */
import { closeSync, existsSync, fstatSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { BucketError } from '../../domain/errors.ts'
import { hashFile } from '../disk.ts'
import { lmdbError } from '../lmdb-failure.ts'
import { readSealed, writeSealed } from '../sealed-json.ts'
import type { RecordPosition } from './append-log.ts'
import type { LogPosition } from './segment.ts'
import { UnchangedFile } from './unchanged-file.ts'

export const INDEX_FILES = { index: 'index.mdb', lock: 'index.mdb-lock', proof: 'index.proof' } as const

export interface LogIndex {
  readonly entries: number
  get(ref: string): RecordPosition | undefined
  /** References from `start` to before `end`, in byte order. */
  range(
    start: string,
    end: string,
    limit: number,
  ): readonly (readonly [ref: string, position: RecordPosition])[]
  /**
   * Adds references in one transaction. An existing one keeps its position.
   *
   * @throws BucketError `insufficient_storage`, `unavailable`; none of them was added then.
   */
  add(positions: readonly (readonly [ref: string, position: RecordPosition])[]): Promise<void>
  /** @param covered everything up to here is in the index; undefined leaves no proof. */
  close(covered: LogPosition | undefined): Promise<void>
}

/** The state that a clean stop writes. */
export interface Proof {
  readonly storeId: string
  readonly index: FileIdentity
  /** The log was complete up to here, and the index covered all of it. */
  readonly covered: LogPosition
}

interface FileIdentity {
  /** Bytes. */
  readonly size: number
  /** 64 hex digits. */
  readonly sha256: string
}

const VALUE_BYTES = 14

function encodePosition({ segment, offset, entryLength, length }: RecordPosition): Buffer {
  const value = Buffer.allocUnsafe(VALUE_BYTES)
  value.writeUInt32LE(segment, 0)
  value.writeUInt32LE(offset, 4)
  value.writeUInt16LE(entryLength, 8)
  value.writeUInt32LE(length, 10)
  return value
}

const decodePosition = (value: Buffer): RecordPosition => ({
  segment: value.readUInt32LE(0),
  offset: value.readUInt32LE(4),
  entryLength: value.readUInt16LE(8),
  length: value.readUInt32LE(10),
})

/** References are ASCII, and at most 386 bytes of LMDB's 1,978 for a key. */
const keyOf = (text: string): Buffer => Buffer.from(text, 'latin1')

interface IndexTable {
  readonly environment: RootDatabase
  readonly table: Database<Buffer, Buffer>
  readonly isEmptied: boolean
}

/** A file that matches its proof may have been damaged before the proof was written. Such an index starts empty, too. */
function openTable(path: string, isEmptied = false): IndexTable {
  const environment = open({ path, noSync: true, overlappingSync: false, eventTurnBatching: false })
  try {
    const table: Database<Buffer, Buffer> = environment.openDB({
      name: 'positions',
      keyEncoding: 'binary',
      encoding: 'binary',
    })
    return { environment, table, isEmptied }
  } catch (error) {
    if (isEmptied) throw error
    void environment.close()
    rmSync(path)
    return openTable(path, true)
  }
}

/**
 * Opens the index of a data folder.
 *
 * @param proof as `readProof` found it; without one that holds, the index is an empty one.
 * @returns how far the index covers the log; undefined when it is empty.
 */
export async function openLogIndex(
  dataDir: string,
  storeId: string,
  proof: Proof | undefined,
): Promise<{ index: LogIndex; covered: LogPosition | undefined }> {
  const inside = (name: string) => join(dataDir, name)
  const path = inside(INDEX_FILES.index)
  const isProven = proof !== undefined && (await isFile(path, proof.index))
  rmSync(inside(INDEX_FILES.lock), { force: true })
  if (!isProven) rmSync(path, { force: true })
  const { environment, table, isEmptied } = openTable(path)
  const file = new UnchangedFile(path)
  /** The first failure to read. After it, a reference that is not found may be one that cannot be read, so nothing is answered. */
  let failure: BucketError | undefined
  const fail = (error: unknown): BucketError => {
    failure = BucketError.needsOperator(
      'the index of the ledger cannot be read: a restart builds it again',
      'restart the server',
      error,
    )
    return failure
  }
  /** @param freshMs how old the last look at the file may be, in milliseconds. */
  function assertUsable(freshMs?: number): void {
    if (failure) throw failure
    if (!file.isUnchanged(freshMs)) throw fail(new Error(`something else has written to ${path}`))
  }
  const read = <T>(look: () => T): T => {
    assertUsable()
    try {
      return look()
    } catch (error) {
      throw fail(error)
    }
  }
  const index: LogIndex = {
    get entries() {
      const { entryCount } = table.getStats() as { entryCount: number }
      return entryCount
    },
    get: (ref) =>
      read(() => {
        // Valid until the next read.
        const value = table.getBinaryFast(keyOf(ref))
        return value && decodePosition(value)
      }),
    range: (start, end, limit) =>
      read(() => {
        const found = table.getRange({ start: keyOf(start), end: keyOf(end), limit })
        return Array.from(found, ({ key, value }) => [key.toString('latin1'), decodePosition(value)] as const)
      }),
    async add(positions) {
      const sorted = [...positions].sort(([a], [b]) => (a < b ? -1 : 1))
      assertUsable(0)
      const commit = () => {
        try {
          environment.transactionSync(() => {
            for (const [ref, position] of sorted)
              table.putSync(keyOf(ref), encodePosition(position), { noOverwrite: true })
          })
        } finally {
          file.accept()
        }
      }
      try {
        commit()
      } catch (error) {
        throw await lmdbError({ name: 'the index of the ledger', path }, error)
      }
    },
    async close(end) {
      if (!failure && !file.isUnchanged(0)) fail(undefined)
      const isInPlace = file.isInPlace()
      file.close()
      await environment.close()
      // A proof would let the next start trust an index that could not be read, or that is not this one.
      if (end === undefined || failure || !isInPlace) return
      // A full disk may not take the proof. Without it, the next start rebuilds the index.
      const proof: Proof = { storeId, index: await identify(path), covered: end }
      await writeSealed(dataDir, INDEX_FILES.proof, proof).catch(() =>
        rmSync(`${inside(INDEX_FILES.proof)}.new`, { force: true, recursive: true }),
      )
    },
  }
  return { index, covered: isProven && !isEmptied ? proof.covered : undefined }
}

/**
 * Reads the proof of a clean stop. It stays true after a crash: the log was complete up to `covered`, and an index that has changed since
 * does not match it.
 *
 * @returns undefined when there is none for this store; a proof that is damaged proves nothing.
 */
export function readProof(dataDir: string, storeId: string): Proof | undefined {
  const proof = readSealed<Proof>(join(dataDir, INDEX_FILES.proof))
  return proof?.storeId === storeId ? proof : undefined
}

const isFile = async (path: string, wanted: FileIdentity): Promise<boolean> => {
  if (!existsSync(path)) return false
  const found = await identify(path)
  return found.size === wanted.size && found.sha256 === wanted.sha256
}

async function identify(path: string): Promise<FileIdentity> {
  const fd = openSync(path, 'r')
  try {
    const { size } = fstatSync(fd)
    return { size, sha256: (await hashFile(fd, size)).digest('hex') }
  } finally {
    closeSync(fd)
  }
}
