/** Copies the blobs of a data folder that the copy lacks, each verified. A blob that is lost does not end the copy: it is reported. */
import { lstatSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Entry } from '../domain/entry.ts'
import { type BlobFault, type Damage, nameFault, verifiedBytes, WrongBytes } from './blob-fault.ts'
import { blobFiles } from './blob-files.ts'
import { LAYOUT } from './folder-format.ts'
import { type FolderLog, forEachEntry } from './folder-log.ts'
import { writeTemporary } from './temporary.ts'

/** An entry whose bytes the folder has lost. */
export interface LostBlob extends Damage {
  /** An earlier copy has saved them. */
  readonly isInCopy: boolean
}

export interface CopyOptions {
  readonly signal: AbortSignal
  readonly onLost: (lost: LostBlob) => void
}

export interface CopiedBlobs {
  readonly entries: number
  readonly copiedBlobs: number
  /** Bytes. */
  readonly copiedBytes: number
}

/** @throws the errors of the copy's disk; the reason of `signal`. */
export async function copyBlobs(
  log: FolderLog,
  target: string,
  { signal, onLost }: CopyOptions,
): Promise<CopiedBlobs> {
  const source = blobFiles(join(log.root, LAYOUT.blobs))
  const copies = blobFiles(join(target, LAYOUT.blobs))
  const temporary = join(target, LAYOUT.temporaries, 'copy')
  let [entries, copiedBlobs, copiedBytes] = [0, 0, 0]

  async function copy(entry: Entry, path: string): Promise<BlobFault | undefined> {
    rmSync(temporary, { force: true })
    try {
      await writeTemporary(temporary, verifiedBytes(entry, path, signal), signal)
    } catch (error) {
      if (error instanceof WrongBytes) return error.fault
      throw error
    }
    await copies.publish(entry, temporary)
    copiedBlobs += 1
    copiedBytes += entry.size
    return undefined
  }

  await forEachEntry(log, async (batch) => {
    for (const { entry, isInline, damagedIn } of batch) {
      signal.throwIfAborted()
      entries += 1
      if (isInline) continue
      const path = source.pathOf(entry)
      const copied = lstatSync(copies.pathOf(entry), { throwIfNoEntry: false })
      const isInCopy = copied?.isFile() === true && copied.size === entry.size
      const fault = nameFault(entry, path) ?? (isInCopy ? undefined : await copy(entry, path))
      if (fault?.fault === 'missing' && damagedIn !== undefined)
        onLost({ entry, path: damagedIn, isInCopy, fault: 'wrong_digest' })
      else if (fault) onLost({ entry, path: relative(log.root, path), isInCopy, ...fault })
    }
  })
  return { entries, copiedBlobs, copiedBytes }
}
