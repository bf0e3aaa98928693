/**
 * The ledger in LMDB: one row for each reference, keyed by `bucket/artifact/version`, created if absent and never touched again.
 * Without overlapping sync a row is on disk before anybody can see it.
 */
import { open } from 'lmdb'
import { type Entry, type EntryMessage, entryFromMessage, entryMessage } from '#protocol/entry'
import { BucketError } from '#protocol/errors'
import { formatArtifactKey, formatRef } from '#protocol/identifiers'
import type { Ledger } from '#repository/ports'
import { lmdbError } from './lmdb-failure.ts'

interface Row {
  readonly entry: EntryMessage
  readonly commit_id: string
}

export interface LmdbLedger extends Ledger {
  /** Waits for appends that are under way; nothing is asked of a closed ledger. */
  close(): Promise<void>
}

// Identifiers are ASCII without `/`: no artifact's keys begin with another's prefix, and versions keep their byte order.
// 3 × 128 characters and two slashes are far below LMDB's 1,978 bytes for a key.
const key = (text: string) => Buffer.from(text, 'latin1')

/** @param path of the database's file; its folder exists. */
export function lmdbLedger(path: string): LmdbLedger {
  const rows = open<Row, Buffer>({
    path,
    overlappingSync: false,
    // With it, lmdb 3.5 keeps a promise of its own for each batch, which nobody can catch when the disk is full: the process would die.
    eventTurnBatching: false,
    keyEncoding: 'binary',
    encoding: 'json',
  })

  return {
    async find(ref) {
      const row = rows.get(key(formatRef(ref)))
      return row && entryFromMessage(row.entry)
    },

    async append(entry, commitId) {
      const at = key(formatRef(entry.ref))
      const row: Row = { entry: entryMessage(entry), commit_id: commitId }
      // The only write of this file: it happens only where there is no row, and a lost race is `false`.
      const appended = await rows
        .ifNoExists(at, () => {
          rows.put(at, row).catch(() => undefined) // it fails with the condition's own promise
        })
        .catch(async (error: unknown) => {
          throw await lmdbError('the ledger', error)
        })
      if (appended) return { appended, entry }
      const winner = rows.get(at)
      if (!winner) throw BucketError.unavailable('the ledger refused an entry without holding another')
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

    close: () => rows.close(),
  }
}

/** How many rows are read at once: between two pages other work may be done. */
const PAGE = 1_000

/**
 * Every entry of a ledger that nobody writes, with those of one artifact beside each other; writes nothing.
 *
 * @param path of the database's file, which exists.
 */
export async function* readLedger(path: string): AsyncGenerator<Entry, void, undefined> {
  const rows = open<Row, Buffer>({ path, readOnly: true, keyEncoding: 'binary', encoding: 'json' })
  try {
    let start = key('')
    for (;;) {
      const page = Array.from(rows.getRange({ start, limit: PAGE }))
      for (const { value } of page) yield entryFromMessage(value.entry)
      const last = page.at(-1)
      if (!last || page.length < PAGE) return
      start = Buffer.concat([last.key, key('\0')])
    }
  } finally {
    await rows.close()
  }
}
