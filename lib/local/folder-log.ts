/** The log of a data folder at this moment, for tools that read it. A server may be running, because it only appends. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { digestHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { FolderDamaged, FolderRefused, LAYOUT, readFormat, WrongFolder } from './folder-format.ts'
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
import { SEGMENT_HEADER_BYTES } from './ledger/segment.ts'

export interface FolderLog {
  /** The data folder. */
  readonly root: string
  readonly storeId: string
  readonly segments: readonly LogSegment[]
  /** Of the last complete group. */
  readonly end: FoundEnd
  read(visitor: LogVisitor): Promise<void>
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
  const segments = listLog(join(root, LAYOUT.ledger), storeId)
  const last = segments.at(-1)
  if (!last) throw new Error('a log has at least one segment')
  const end = await findEnd(last, storeId, readProof(root, storeId)?.covered)
  const from = { segment: 1, offset: SEGMENT_HEADER_BYTES }
  return {
    ...{ root, storeId, segments, end },
    read: (visitor) => readLog(segments, storeId, { from, end }, visitor),
  }
}

/** A folder with other files of a data folder has lost its format file. */
async function withoutFormat(root: string): Promise<FolderRefused> {
  const remains = (await readdir(root)).find((name) =>
    ([LAYOUT.ledger, LAYOUT.blobs, LAYOUT.secret] as readonly string[]).includes(name),
  )
  const format = JSON.stringify(LAYOUT.format)
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

/**
 * Every entry, in the order in which they were stored. `isInline` tells whether the ledger holds its bytes, undamaged; otherwise they are
 * in a file.
 */
export async function forEachEntry(
  log: FolderLog,
  use: (entries: readonly { readonly entry: Entry; readonly isInline: boolean }[]) => Promise<void>,
  damage: LogVisitor['damage'] = () => undefined,
): Promise<void> {
  let batch: { entry: Entry; isInline: boolean }[] = []
  await log.read({
    record(_, frame, buffer, at) {
      if (frame.kind === 'removed') return
      const { entry } = decodeEntry(buffer, at, frame)
      batch.push({ entry, isInline: hasBytes(entry, blobOfRecord(buffer, at, frame)) })
    },
    damage,
    async pause() {
      const entries = batch
      batch = []
      await use(entries)
    },
  })
}

const hasBytes = ({ digest }: Entry, bytes: Uint8Array | undefined): boolean =>
  bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === digestHex(digest)
