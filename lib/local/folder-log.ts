/** The log of a data folder at this moment, for tools that read it. A server may be running, because it only appends. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Digest, digestHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { FolderDamaged, FolderRefused, LAYOUT, readFormat, WrongFolder } from './folder-format.ts'
import { laterEnd, olderThan, readKnownEnd } from './ledger/known-end.ts'
import { readProof } from './ledger/log-index.ts'
import {
  type FoundEnd,
  findEnd,
  type LogSegment,
  type LogVisitor,
  listLog,
  readLog,
} from './ledger/read-log.ts'
import { blobOfRecord, decodeEntry } from './ledger/record.ts'
import { LOG_BEGIN, segmentName } from './ledger/segment.ts'

export interface FolderLog {
  /** The data folder. */
  readonly root: string
  readonly storeId: string
  readonly segments: readonly LogSegment[]
  /** Of the last complete group. */
  readonly end: FoundEnd
  /** Set when the log ends before an end that was recorded earlier: the ledger has lost entries. */
  readonly older: FolderDamaged | undefined
  /** @param windowBytes how many bytes are read at once, if not 4 MiB. */
  read(visitor: LogVisitor, windowBytes?: number): Promise<void>
}

/** @throws FolderRefused if this isn't a data folder of this format; FolderDamaged if its log is incomplete. */
export async function openFolderLog(dataDir: string): Promise<FolderLog> {
  const root = resolve(dataDir)
  const format = await readFormat(root)
  if (!format) throw await withoutFormat(root)
  if (format.version === 1)
    throw new FolderRefused(
      `the folder ${root} has the format of an earlier version of Bucket`,
      'Start a server on it once: it moves the folder to the format of this version.',
    )
  const { storeId } = format
  const known = laterEnd(readKnownEnd(root, storeId), readProof(root, storeId)?.covered)
  const segments = listLog(join(root, LAYOUT.ledger), storeId)
  const last = segments.at(-1)
  if (!last) throw new Error('a log has at least one segment')
  const end = await findEnd(last, storeId, known)
  return {
    ...{ root, storeId, segments, end, older: olderThan(end, known) },
    read: (visitor, windowBytes) =>
      readLog(segments, storeId, { from: LOG_BEGIN, end, windowBytes }, visitor),
  }
}

/** A folder with other files of a data folder has lost its format file. */
async function withoutFormat(root: string): Promise<FolderRefused> {
  const names = await readdir(root)
  const remains = names.find((name) =>
    ([LAYOUT.ledger, LAYOUT.blobs, LAYOUT.secret] as readonly string[]).includes(name),
  )
  const format = JSON.stringify(LAYOUT.format)
  // A backup writes both at its end, a server at its start.
  if (remains !== undefined && !names.includes(LAYOUT.secret))
    return new FolderDamaged(
      `the folder ${root} has neither ${format} nor ${JSON.stringify(LAYOUT.secret)}: a backup that was cut short is like this`,
      'If it is one, run the same `bucket backup` again. If not, restore the whole folder from a backup.',
    )
  if (remains === undefined)
    return new WrongFolder(
      `the folder ${root} isn't a Bucket folder: it has no ${format} file`,
      'Name the folder of a server or a backup.',
    )
  return new FolderDamaged(
    `the folder ${root} has ${JSON.stringify(remains)}, but it has lost its ${format} file`,
    'Restore that file from a backup of the same folder, or the whole folder with `bucket restore`.',
  )
}

/** An entry of the ledger, and where its bytes are. */
export interface LoggedEntry {
  readonly entry: Entry
  /** Whether its record holds its bytes, undamaged; otherwise they are in a file. */
  readonly isInline: boolean
  /** Relative to the data folder: the segment in which its bytes are damaged. A store of the same bytes restores them as a file. */
  readonly damagedIn: string | undefined
}

/** Passes every entry to `use`, in the order in which they were stored. */
export async function forEachEntry(
  log: FolderLog,
  use: (entries: readonly LoggedEntry[]) => Promise<void>,
  damage: LogVisitor['damage'] = () => undefined,
): Promise<void> {
  let batch: LoggedEntry[] = []
  await log.read({
    record(segment, frame, buffer, at) {
      if (frame.kind === 'removed') return
      const { entry } = decodeEntry(buffer, at, frame)
      const bytes = blobOfRecord(buffer, at, frame)
      const isInline = bytes !== undefined && hasDigest(bytes, entry.digest)
      const damagedIn = bytes && !isInline ? `${LAYOUT.ledger}/${segmentName(segment)}` : undefined
      batch.push({ entry, isInline, damagedIn })
    },
    damage,
    async pause() {
      const entries = batch
      batch = []
      await use(entries)
    },
  })
}

const hasDigest = (bytes: Uint8Array, digest: Digest): boolean =>
  createHash('sha256').update(bytes).digest('hex') === digestHex(digest)
