/** A ledger in memory that keeps the port's promises: created if absent in one step, listed in byte order, never changed. */
import type { Entry } from '../../lib/domain/entry.ts'
import { formatArtifactKey, formatRef } from '../../lib/domain/identifiers.ts'
import type { Ledger } from '../../lib/repository/ports.ts'

export interface FakeLedger extends Ledger {
  /** Every entry, in the order in which they were appended. */
  readonly entries: readonly Entry[]
}

export function fakeLedger(): FakeLedger {
  const rows = new Map<string, { readonly entry: Entry; readonly commitId: string }>()
  return {
    find: async (ref) => rows.get(formatRef(ref))?.entry,

    async append(entry, commitId) {
      const winner = rows.get(formatRef(entry.ref))
      if (winner) return { appended: winner.commitId === commitId, entry: winner.entry }
      rows.set(formatRef(entry.ref), { entry, commitId })
      return { appended: true, entry }
    },

    async list(key, after, limit) {
      const remaining = [...rows.values()]
        .map(({ entry }) => entry)
        .filter(({ ref }) => formatArtifactKey(ref) === formatArtifactKey(key))
        .filter(({ ref }) => after === undefined || ref.version > after)
        .sort((one, other) => (one.ref.version < other.ref.version ? -1 : 1))
      const entries = remaining.slice(0, limit)
      return { entries, next: remaining.length > limit ? (entries.at(-1)?.ref.version ?? null) : null }
    },

    check: async () => undefined,

    get entries() {
      return [...rows.values()].map(({ entry }) => entry)
    },
  }
}
