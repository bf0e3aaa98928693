/**
 * The ledger over its log: an entry is created if its reference has none, and never touched again. Appends that arrive while a group is
 * being written form the next group. Readers see an entry only after its group is durable.
 */
import { createHash } from 'node:crypto'
import { digestHex } from '../../domain/digest.ts'
import type { BlobId, Entry } from '../../domain/entry.ts'
import { BucketError } from '../../domain/errors.ts'
import { formatArtifactKey, formatRef } from '../../domain/identifiers.ts'
import { MIB } from '../../domain/limits.ts'
import type { AppendResult, Ledger, WholeWriter } from '../../repository/ports.ts'
import type { AppendLog, RecordPosition } from './append-log.ts'
import type { HeldBlobs } from './held-blobs.ts'
import type { LogIndex } from './log-index.ts'
import { encodeRecord, MAX_GROUP_RECORDS, type RecordContent } from './record.ts'
import type { RecordReader } from './record-reader.ts'

export interface LogLedger extends Ledger, WholeWriter {
  /** The blob of a stored entry, when its record holds it; `damaged` when its bytes do not have the digest. */
  storedBlob(blob: BlobId): Uint8Array | 'damaged' | undefined
  /** Waits for the last group, and leaves the index complete. @returns whether it is. */
  close(): Promise<boolean>
}

/** Damage to the log. A check in the background may add to it. */
export interface KnownDamage {
  /** Damaged records that the index does not name, so that a reference without a record may be one of them. */
  readonly lostRecords: number
  /** Damaged records in all. */
  readonly records: number
}

export interface LogLedgerParts {
  readonly log: AppendLog
  readonly index: LogIndex
  /** Durable entries that are not in the index yet. */
  readonly backlog: Map<string, RecordPosition>
  readonly reader: RecordReader
  readonly held: HeldBlobs
  readonly damage: KnownDamage
  /** Throws if something else is at the path of the folder that was opened. */
  readonly assertFolderInPlace: () => void
}

/** A group is complete at this many bytes. */
const GROUP_BYTES = 4 * MIB
/** The number of entries that one index transaction takes. */
const INDEX_BATCH = 512
/** If more entries than this wait for a failing index, the ledger refuses the next. */
const MAX_BACKLOG = 100_000
/** Records that were read last, in bytes: a fetch asks for the entry, then for the blob. */
const CACHE_BYTES = 4 * MIB
/** The approximate size of a cached record without its blob, in bytes. */
const CACHED_ENTRY_BYTES = 1024

interface Waiting {
  readonly ref: string
  readonly entry: Entry
  readonly commitId: string
  /** The bytes of the blob, unless they are held or in a file. */
  readonly bytes: Uint8Array | undefined
  readonly resolve: (result: AppendResult) => void
  readonly reject: (error: unknown) => void
}

interface Group {
  readonly records: readonly Buffer[]
  /** By reference: the append of each record, in the order of the records. */
  readonly firsts: ReadonlyMap<string, Waiting>
  /** Further appends of the same references, which lose to the first one. */
  readonly others: readonly Waiting[]
}

export function logLedger(parts: LogLedgerParts): LogLedger {
  const { log, index, backlog, reader, held, damage, assertFolderInPlace } = parts
  let nextFlush = INDEX_BATCH
  const cache = recordCache()
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined

  const locate = (ref: string) => backlog.get(ref) ?? index.get(ref)

  function load(ref: string): RecordContent | undefined {
    const cached = cache.get(ref)
    if (cached) return cached
    const position = locate(ref)
    if (!position) return undefined
    const record = reader.read(ref, position)
    cache.set(ref, record)
    return record
  }

  /** A reference without a record counts as free only if no record is damaged. */
  function assertComplete(): void {
    if (damage.lostRecords > 0)
      throw BucketError.ledgerDamaged(
        `the ledger has ${damage.lostRecords} damaged records, and this version may be one of them`,
      )
  }

  function submit(entry: Entry, bytes: Uint8Array | undefined, commitId: string): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      waiting.push({ ref: formatRef(entry.ref), entry, commitId, bytes, resolve, reject })
      running ??= commitAll()
    })
  }

  async function commitAll(): Promise<void> {
    do {
      // Everything that arrives in this turn of the event loop joins the group.
      await new Promise(setImmediate)
      await commitGroup()
    } while (waiting.length > 0)
    running = undefined
  }

  /** Takes the appends that form the next group, and answers those of references that have an entry. */
  function takeGroup(): Group {
    const records: Buffer[] = []
    const firsts = new Map<string, Waiting>()
    const others: Waiting[] = []
    let bytes = 0
    let taken = 0
    for (const commit of waiting) {
      if (bytes >= GROUP_BYTES || records.length === MAX_GROUP_RECORDS) break
      taken += 1
      try {
        const { ref, entry, commitId } = commit
        const stored = load(ref)
        if (stored) commit.resolve(resultOf(stored, commitId))
        else if (firsts.has(ref)) others.push(commit)
        else {
          assertComplete()
          const record = encodeRecord({ entry, commitId, bytes: commit.bytes ?? held.get(entry) })
          records.push(record)
          bytes += record.length
          firsts.set(ref, commit)
        }
      } catch (error) {
        commit.reject(error)
      }
    }
    waiting = waiting.slice(taken)
    return { records, firsts, others }
  }

  async function commitGroup(): Promise<void> {
    const { records, firsts, others } = takeGroup()
    if (records.length === 0) return
    try {
      assertFolderInPlace()
      if (backlog.size > MAX_BACKLOG) await flush()
      const positions = await log.append(records)
      let at = 0
      for (const { ref, entry, resolve } of firsts.values()) {
        const position = positions[at++]
        if (position) backlog.set(ref, position)
        resolve({ appended: true, entry })
      }
      for (const { ref, commitId, resolve } of others) {
        const first = firsts.get(ref)
        if (first) resolve(resultOf(first, commitId))
      }
    } catch (error) {
      for (const { reject } of firsts.values()) reject(error)
      for (const { reject } of others) reject(error)
    }
    // If the index fails now, it gets the entries later. Until then they are found in `backlog`.
    if (backlog.size >= nextFlush)
      await flush().catch(() => {
        nextFlush = backlog.size + INDEX_BATCH
      })
  }

  async function flush(): Promise<void> {
    const batch = [...backlog]
    await index.add(batch)
    for (const [ref] of batch) backlog.delete(ref)
    nextFlush = INDEX_BATCH
  }

  return {
    async find(ref) {
      const record = load(formatRef(ref))
      if (!record) assertComplete()
      return record?.entry
    },

    async append(entry, commitId) {
      try {
        return await submit(entry, undefined, commitId)
      } finally {
        held.release(entry)
      }
    },

    appendWhole: submit,

    async list(artifact, after, limit) {
      assertComplete()
      // `\0` occurs in no identifier and sorts before all characters that do; `0` follows `/` in ASCII.
      const prefix = `${formatArtifactKey(artifact)}/`
      const start = after === undefined ? prefix : `${prefix}${after}\0`
      const end = `${formatArtifactKey(artifact)}0`
      const found = new Map(index.range(start, end, limit + 1))
      for (const [ref, position] of backlog) if (ref >= start && ref < end) found.set(ref, position)
      const refs = [...found.keys()].sort().slice(0, limit)
      const entries = refs.map((ref) => {
        const position = found.get(ref)
        const record = cache.get(ref) ?? (position && reader.readEntry(ref, position))
        if (!record) throw new Error(`no position of ${ref}`)
        return record.entry
      })
      return { entries, next: found.size > limit ? (entries.at(-1)?.ref.version ?? null) : null }
    },

    async check() {
      if (damage.records > 0)
        throw BucketError.ledgerDamaged(`the ledger has ${damage.records} damaged records`)
      assertFolderInPlace()
      log.check()
      index.get('/')
    },

    storedBlob(blob) {
      const record = load(formatRef(blob.ref))
      if (record?.bytes === undefined || record.entry.digest !== blob.digest) return undefined
      return cache.isVerified(record) ? record.bytes : 'damaged'
    },

    async close() {
      await running
      return await flush().then(
        () => true,
        () => false,
      )
    },
  }
}

const resultOf = (
  { entry, commitId }: Pick<RecordContent, 'entry' | 'commitId'>,
  appendId: string,
): AppendResult => ({
  appended: commitId === appendId,
  entry,
})

/** The records that were read last. */
function recordCache() {
  const records = new Map<string, RecordContent>()
  const verified = new WeakSet<RecordContent>()
  let total = 0
  const sizeOf = ({ bytes }: RecordContent) => CACHED_ENTRY_BYTES + (bytes?.byteLength ?? 0)
  return {
    get: (ref: string) => records.get(ref),
    set(ref: string, record: RecordContent) {
      const known = records.get(ref)
      if (known) total -= sizeOf(known)
      records.set(ref, record)
      total += sizeOf(record)
      for (const [oldest, content] of records) {
        if (total <= CACHE_BYTES) break
        records.delete(oldest)
        total -= sizeOf(content)
      }
    },
    /** Hashes the blob of a record once. */
    isVerified(record: RecordContent): boolean {
      if (verified.has(record)) return true
      const { bytes, entry } = record
      if (!bytes || createHash('sha256').update(bytes).digest('hex') !== digestHex(entry.digest)) return false
      verified.add(record)
      return true
    },
  }
}
