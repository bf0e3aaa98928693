/**
 * The ledger in LMDB: one row for each reference, keyed by `bucket/artifact/version`, created if absent and never touched again.
 * Without overlapping sync a row is on disk before anybody can see it.
 */
import { type Database, open } from 'lmdb'
import type { Entry } from '../domain/entry.ts'
import { formatArtifactKey, formatRef } from '../domain/identifiers.ts'
import { type EntryMessage, entryFromMessage, entryMessage } from '../protocol/entry-message.ts'
import type { Ledger } from '../repository/ports.ts'
import { type Commits, groupCommit } from './group-commit.ts'
import { type SmallBlobs, smallBlobKey, smallBlobs } from './small-blobs.ts'

interface Row {
  readonly entry: EntryMessage
  readonly commit_id: string
}

// Identifiers are ASCII without `/`: no artifact's keys begin with another's prefix, and versions keep their byte order.
// 3 × 128 characters and two slashes are far below LMDB's 1,978 bytes for a key.
const key = (text: string) => Buffer.from(text, 'latin1')

const ENTRIES = { name: 'entries', keyEncoding: 'binary', encoding: 'json' } as const
const BLOBS = { name: 'blobs', keyEncoding: 'binary', encoding: 'binary' } as const

/** The LMDB environment that holds what lasts: entries, and blobs too small for a file. */
export interface LedgerFile {
  readonly ledger: Ledger
  readonly smallBlobs: SmallBlobs
  /** Waits for writes that are under way; nothing is asked of a closed ledger. */
  close(): Promise<void>
}

/** @param path of the environment's file; its folder exists. */
export function openLedgerFile(path: string): LedgerFile {
  // Not overlapping: a row is on disk before anybody can see it. Batched by event turn, lmdb 3.5 would keep a promise of its own for
  // each batch, which nobody can catch when the disk is full: the process would die.
  const environment = open({ path, overlappingSync: false, eventTurnBatching: false })
  const commits = groupCommit(environment, { name: 'the ledger', path })
  const rows = environment.openDB<Row, Buffer>(ENTRIES)
  const blobs = smallBlobs(environment.openDB<Buffer, Buffer>(BLOBS), commits)
  return {
    ledger: lmdbLedger(rows, commits, blobs),
    smallBlobs: blobs,
    async close() {
      await commits.idle()
      await environment.close()
    },
  }
}

function lmdbLedger(rows: Database<Row, Buffer>, commits: Commits, blobs: SmallBlobs): Ledger {
  return {
    async find(ref) {
      const row = rows.get(key(formatRef(ref)))
      return row && entryFromMessage(row.entry)
    },

    async append(entry, commitId) {
      const at = key(formatRef(entry.ref))
      const row: Row = { entry: entryMessage(entry), commit_id: commitId }
      await blobs.beforeEntry(entry)
      // The only write of an entry: it happens only where there is none, in the transaction that has just looked.
      const winner = await commits.run(() => {
        const found = rows.get(at)
        if (!found) rows.putSync(at, row)
        return found ?? row
      })
      return { appended: winner.commit_id === commitId, entry: entryFromMessage(winner.entry) }
    },

    async list(artifact, after, limit) {
      const prefix = `${formatArtifactKey(artifact)}/`
      // `\0` stands in no identifier and below all that do: the first key behind `after`.
      const start = key(after === undefined ? prefix : `${prefix}${after}\0`)
      const end = key(`${formatArtifactKey(artifact)}0`) // `0` follows `/` in ASCII
      const found = Array.from(rows.getRange({ start, end, limit: limit + 1 }), ({ value }) =>
        entryFromMessage(value.entry),
      )
      const entries = found.slice(0, limit)
      return { entries, next: found.length > limit ? (entries.at(-1)?.ref.version ?? null) : null }
    },

    async check() {
      rows.get(key('/'))
    },
  }
}

/** How many rows are read at once: between two pages other work may be done. */
const PAGE = 1_000

/** A ledger file that nobody writes, opened to be looked through; writes nothing. */
export interface LedgerReader {
  /** Every entry, those of one artifact beside each other. */
  entries(): AsyncGenerator<Entry, void, undefined>
  /** The bytes of an entry, where they are in this file. */
  smallBlob(entry: Entry): Uint8Array | undefined
  /** The blobs in this file that no entry names. */
  unreferencedSmallBlobs(): AsyncGenerator<{ name: string; size: number }, void, undefined>
  close(): Promise<void>
}

/** @param path of the environment's file, which exists. */
export function openLedgerReader(path: string): LedgerReader {
  const environment = open({ path, readOnly: true })
  const rows = environment.openDB<Row, Buffer>(ENTRIES)
  const blobs = environment.openDB<Buffer, Buffer>(BLOBS)
  return {
    async *entries() {
      for await (const { value } of pages(rows)) yield entryFromMessage(value.entry)
    },
    smallBlob: (entry) => blobs.getBinary(key(smallBlobKey(entry))),
    async *unreferencedSmallBlobs() {
      for await (const { key: name, value } of pages(blobs)) {
        const [, ref = '', hex] = /^(.*)\/([0-9a-f]+)$/.exec(name.toString('latin1')) ?? []
        if (rows.get(key(ref))?.entry.digest !== `sha256:${hex}`)
          yield { name: name.toString('latin1'), size: value.byteLength }
      }
    },
    close: () => environment.close(),
  }
}

async function* pages<V>(table: Database<V, Buffer>) {
  let start = key('')
  for (;;) {
    const page = Array.from(table.getRange({ start, limit: PAGE }))
    yield* page
    const last = page.at(-1)
    if (!last || page.length < PAGE) return
    start = Buffer.concat([last.key, key('\0')])
  }
}
