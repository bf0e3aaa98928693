/** The limit of open files that the system sets for this process. Connections must not take all of them: a store needs a file, too. */
import { readFileSync } from 'node:fs'

/** Files besides connections: those that stores and fetches have open, and connections that are only refused. */
const KEPT_FOR_FILES = 128
const LEAST_CONNECTIONS = 8

/** @returns undefined where the system does not tell it. Node has raised the soft limit to the hard one. */
export function openFileLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}

/** @returns how many of `wanted` connections leave enough files: half of the rest, because each may read or write one. */
export const connectionsWithin = (limit: number, wanted: number): number =>
  limit >= 2 * wanted
    ? wanted
    : Math.min(wanted, Math.max(LEAST_CONNECTIONS, Math.floor((limit - KEPT_FOR_FILES) / 2)))
