/** Checks the free space of a disk before bytes are requested, so that a store that cannot fit is refused before it is sent. */
import { statfs } from 'node:fs/promises'
import { BucketError } from '../domain/errors.ts'
import { MIB } from '../domain/limits.ts'
import { diskError, outOfInodes } from './disk-error.ts'
import { FolderRefused } from './folder-format.ts'

/** The reserve for stores in progress and for the ledger: this many bytes, but at most a hundredth of the disk. */
const RESERVE_BYTES = 64 * MIB
/** With fewer free inodes than this, a disk counts as out of inodes: a blob may need folders of its own. */
const RESERVE_INODES = 8

/** A folder whose LMDB files must be made needs this to start: LMDB ends the process with a signal when the disk cannot hold a mapped file. */
const START_BYTES = MIB
const START_INODES = 32

/** @throws FolderRefused when the disk is too full to make the files of a data folder. */
export async function assertRoomToStart(folder: string): Promise<void> {
  const { bavail, bsize, files, ffree } = await look(folder)
  const free = bavail * bsize
  const isShort = free < START_BYTES || (files > 0 && ffree < START_INODES)
  if (isShort)
    throw new FolderRefused(
      `the disk of ${folder} is full: it has ${free} bytes and ${ffree} inodes free, and making the files of the folder takes ${START_BYTES} and ${START_INODES}`,
      'Free space on that disk, then start the server again. Nothing in the folder was changed.',
    )
}

export interface FreeSpace {
  /** Bytes that are free for this user. */
  bytes(): Promise<number>
  /** @throws BucketError `insufficient_storage` unless `size` bytes fit on the disk. */
  require(size: number): Promise<void>
}

/** @param folder on the disk. */
export const freeSpace = (folder: string): FreeSpace => ({
  async bytes() {
    const { bavail, bsize } = await look(folder)
    return bavail * bsize
  },

  async require(size) {
    const { bavail, blocks, bsize, files, ffree } = await look(folder)
    // File systems without a fixed number of inodes say 0.
    if (files > 0 && ffree < RESERVE_INODES) throw outOfInodes()
    const free = bavail * bsize
    const reserve = Math.min(RESERVE_BYTES, Math.floor((blocks * bsize) / 100))
    if (size > free - reserve)
      throw new BucketError(
        'insufficient_storage',
        `${size} bytes do not fit: the disk of the data folder has ${free} bytes free, of which ${reserve} are a reserve`,
        {},
      )
  },
})

const look = (folder: string) =>
  statfs(folder).catch((error: unknown) => {
    throw diskError(error)
  })
