/**
 * Where the log ended, durably, at some earlier time. The file lies among the blobs: an older ledger that is put next to newer blobs, with or
 * without its index, ends before it and is refused. The server writes it at its start, at its stop, after a second without a store,
 * and every ten seconds while stores arrive, so that no store waits for it.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { FolderDamaged, LAYOUT } from '../folder-format.ts'
import { readSealed, writeSealed } from '../sealed-json.ts'
import type { AppendLog } from './append-log.ts'
import type { FoundEnd } from './read-log.ts'
import { type LogPosition, segmentName } from './segment.ts'

export interface KnownEnd extends LogPosition {
  readonly storeId: string
  /** When it was written: ISO 8601. */
  readonly at: string
  /** Whether a server wrote it here at its stop, and nothing was stored after it. */
  readonly isStop: boolean
}

/** How often the server checks whether something was stored, in milliseconds. */
const LOOK_MS = 1_000
/** While stores arrive, the end is written after this many looks. */
const BUSY_LOOKS = 10

/**
 * A file that changed this much later than its content says was copied, in milliseconds. An older folder that is copied over a newer one
 * brings its own end, and leaves the newer blobs.
 */
const COPIED_MS = 5_000

/** Read it before the log, which a server may extend meanwhile. @returns undefined when this store has none. */
export function readKnownEnd(dataDir: string, storeId: string): KnownEnd | undefined {
  const path = join(dataDir, LAYOUT.knownEnd)
  const known = readSealed<KnownEnd>(path)
  if (known?.storeId !== storeId) return undefined
  const isCopied = Math.abs(statSync(path).ctimeMs - Date.parse(known.at)) > COPIED_MS
  return { ...known, isStop: known.isStop && !isCopied }
}

/** @param end of a log that is durable up to there. */
export function writeKnownEnd(
  dataDir: string,
  storeId: string,
  { segment, offset }: LogPosition,
  isStop: boolean,
): Promise<void> {
  const known: KnownEnd = { storeId, segment, offset, at: new Date().toISOString(), isStop }
  return writeSealed(dataDir, LAYOUT.knownEnd, known)
}

/** The later of two ends, the first one if they are equal; undefined counts as the beginning. */
export function laterEnd(
  one: LogPosition | undefined,
  other: LogPosition | undefined,
): LogPosition | undefined {
  if (!one || !other) return one ?? other
  const isBefore = one.segment === other.segment ? one.offset < other.offset : one.segment < other.segment
  return isBefore ? other : one
}

/**
 * @param end of the log, as it was found.
 * @param known where it ended at an earlier time.
 * @returns why the log is older than the folder; undefined when it is not.
 */
export function olderThan(
  { segment, reached }: FoundEnd,
  known: LogPosition | undefined,
): FolderDamaged | undefined {
  if (!known || known.segment < segment) return undefined
  if (known.segment === segment && known.offset <= reached) return undefined
  const time = 'at' in known ? ` on ${known.at}` : ''
  return new FolderDamaged(
    `the ledger is older than the folder: it ends in ${segmentName(segment)} at byte ${reached}, and${time} it already reached byte ${known.offset} of ${segmentName(known.segment)}`,
    'Restore the ledger folder from the newest backup. If this ledger is the newest, `bucket fsck` lists the blobs that it does not name, and `bucket fsck --discard-damage` accepts the loss of the versions that it lacks.',
  )
}

const isSame = (one: LogPosition, other: LogPosition | undefined): boolean =>
  one.segment === other?.segment && one.offset === other.offset

export interface EndKeeper {
  /** Writes the end once more, as that of a stop. Call it after the last append. */
  close(): Promise<void>
}

/**
 * Keeps the known end up to date while a server stores. If the disk refuses it, a later attempt succeeds; until then an older end is known.
 *
 * @param assertFolderInPlace throws when the folder was moved, removed or replaced: an end is written only into the folder of the log.
 */
export async function keepKnownEnd(
  log: AppendLog,
  dataDir: string,
  storeId: string,
  assertFolderInPlace: () => void,
): Promise<EndKeeper> {
  let written: LogPosition | undefined
  let seen = log.end
  let looks = 0
  async function write(isStop = false): Promise<void> {
    const { end } = log
    try {
      assertFolderInPlace()
      await writeKnownEnd(dataDir, storeId, end, isStop)
      written = end
    } catch {
      // The next one tries again.
    }
  }
  await write()
  let writing = Promise.resolve()
  const timer = setInterval(() => {
    const { end } = log
    const isQuiet = isSame(end, seen)
    seen = end
    if (isSame(end, written)) return
    looks += 1
    if (!isQuiet && looks < BUSY_LOOKS) return
    looks = 0
    writing = writing.then(() => write())
  }, LOOK_MS)
  timer.unref()
  return {
    async close() {
      clearInterval(timer)
      await writing
      await write(true)
    },
  }
}
