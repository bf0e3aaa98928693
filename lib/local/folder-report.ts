/** What a server tells its operator about its data folder as a whole: one line of the log for each finding. */
import { formatPinnedRef, formatRef } from '../domain/identifiers.ts'
import type { UploadId } from '../domain/upload.ts'
import type { Clock } from '../repository/ports.ts'
import type { BlobsWithoutEntry } from './blobs-without-entry.ts'
import type { LostFiles } from './ledger/background-check.ts'
import type { LedgerReport } from './ledger/open-ledger.ts'
import { describeDamage, type LogDamage } from './ledger/read-log.ts'
import type { MoveReport } from './move-from-format-1.ts'
import type { UploadSpace } from './staging-table.ts'

/** A line of the log about the folder as a whole. */
export interface FolderRecord {
  time: string
  operation:
    | 'open_folder'
    | 'move_folder'
    | 'ledger_damage'
    | 'blobs_without_entry'
    | 'lost_blobs'
    | 'uploads_damage'
    | 'lost_parts'
    | 'full_disk'
    | 'clock'
  folder: string
  /** Messages for the operator. */
  message: string
  /** Entries in the ledger. */
  entries?: number
  /** Blobs without an entry in the ledger. */
  blobsWithoutEntry?: number
  /** Versions whose blobs are missing or have another size. */
  lostBlobs?: number
  /** Set when the index of the ledger was built from its log. */
  indexRebuilt?: { records: number; seconds: number; recordsPerSecond: number }
  /** Bytes of an unfinished group that were cut off the ledger. */
  tornBytes?: number
  /** Bytes that the parts of unfinished uploads take on the disk. */
  uploadBytes?: number
  /** Bytes free on the disk of the folder. */
  freeBytes?: number
}

const DAY_MS = 24 * 3_600_000
/** How often a disk that stays full is reported, in milliseconds. */
const FULL_DISK_MS = 3_600_000
/** How many uploads a line names. */
const NAMED_UPLOADS = 3

export type FolderReport = ReturnType<typeof folderReport>

/** @param root the data folder. */
export function folderReport(root: string, clock: Clock, log: (record: FolderRecord) => void) {
  const tell = (operation: FolderRecord['operation'], message: string, more: Partial<FolderRecord> = {}) =>
    log({ time: new Date(clock()).toISOString(), operation, folder: root, message, ...more })
  let fullSince = Number.NEGATIVE_INFINITY
  const ledgerDamage = (damage: LogDamage) => tell('ledger_damage', describeDamage(damage))
  return {
    ledgerDamage,

    moved: ({ entries, seconds }: MoveReport) =>
      tell(
        'move_folder',
        `moved ${entries} entries from format 1 to format 2 in ${seconds.toFixed(1)} s; the old ledger is kept as ledger.format-1.mdb, and can be removed once a backup of the folder exists`,
        { entries },
      ),

    opened({ entries, rebuilt, tornBytes, damage }: LedgerReport, isNew: boolean, freeBytes: number): void {
      for (const found of damage) ledgerDamage(found)
      const parts = [isNew ? 'a new folder' : `${entries} entries`]
      if (tornBytes > 0) parts.push(`${tornBytes} bytes of an unfinished group were cut off the ledger`)
      if (rebuilt && !isNew) parts.push('the index was built from the log')
      tell('open_folder', parts.join('; '), {
        entries,
        freeBytes,
        ...(tornBytes > 0 && { tornBytes }),
        ...(rebuilt &&
          !isNew && {
            indexRebuilt: { ...rebuilt, recordsPerSecond: Math.round(rebuilt.records / rebuilt.seconds) },
          }),
      })
    },

    /** @param file of the segment. */
    damagedBytes: (id: UploadId, file: string) =>
      tell(
        'ledger_damage',
        `the bytes of ${formatRef(id.ref)} in ${file} are damaged: a store of the same bytes restores them`,
      ),

    lostBlobs: ({ count, examples, files }: LostFiles) =>
      tell(
        'lost_blobs',
        `${count} of ${files} blobs above 16 KiB are missing or cut short, such as ${examples.map(({ ref }) => formatRef(ref)).join(', ')}: \`bucket fsck\` names all of them, and a store of the same bytes restores each`,
        { lostBlobs: count },
      ),

    blobsWithoutEntry({ count, examples }: BlobsWithoutEntry): void {
      if (count > 0)
        tell(
          'blobs_without_entry',
          `${count === 1 ? '1 blob belongs' : `${count} blobs belong`} to versions without an entry, such as ${examples.join(', ')}: stores and uploads that were cut short leave such blobs; a ledger that was restored or damaged may lack their entries, and then any bytes can be stored under these references: stop the server and restore a newer ledger, or \`bucket put\` each file under its reference`,
          { blobsWithoutEntry: count },
        )
    },

    /** @param fault of the file. @param aside its new name. */
    uploadsSetAside: (name: string, fault: string, aside: string) =>
      tell(
        'uploads_damage',
        `${name} ${fault}: it was renamed to ${aside}, and the uploads that were under way must begin again; stored versions are not affected`,
      ),

    /** @param path of the staging file. */
    lostParts: (path: string, { ref, digest }: UploadId) =>
      tell(
        'lost_parts',
        `${path} was removed or cut short by something else: it had the parts of the upload of ${formatPinnedRef({ ref, digest })}, which must begin again, as a repeated \`bucket put\` does; stored versions are not affected`,
      ),

    /** @param spaceOfUploads returns the space that each unfinished upload takes. */
    fullDisk(spaceOfUploads: () => readonly UploadSpace[], freeBytes: number): void {
      if (clock() - fullSince < FULL_DISK_MS) return
      fullSince = clock()
      const uploads = spaceOfUploads().toSorted((a, b) => b.bytes - a.bytes)
      const uploadBytes = uploads.reduce((sum, { bytes }) => sum + bytes, 0)
      const named = uploads
        .slice(0, NAMED_UPLOADS)
        .map(
          ({ id, bytes, createdAt }) =>
            `${formatPinnedRef(id)} (${bytes} bytes, begun ${new Date(createdAt).toISOString()})`,
        )
      const more = uploads.length > named.length ? ` and ${uploads.length - named.length} more` : ''
      tell(
        'full_disk',
        uploads.length === 0
          ? 'the disk has too little free space for a store: free space on it, or move the folder'
          : `the disk has too little free space for a store, and unfinished uploads take ${uploadBytes} bytes: ${named.join(', ')}${more}; the space of an upload is freed when it expires, a week after it began, or at once with \`bucket uploads REF@sha256:… --abort\``,
        { uploadBytes, freeBytes },
      )
    },

    /** @param pauseMs since the last write. */
    longPause: (pauseMs: number) =>
      tell(
        'clock',
        `the folder was last written ${Math.floor(pauseMs / DAY_MS)} days ago by this machine's clock; expired uploads are kept for an hour in case the clock is wrong`,
      ),
  }
}
