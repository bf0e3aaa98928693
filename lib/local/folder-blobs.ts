/**
 * The blob store in a folder. A blob has its final name only when its bytes are complete, right and on disk:
 * a temporary is verified and synced, and only then given the name.
 */
import { join } from 'node:path'
import type { BlobStore, Clock } from '#repository/ports'
import { readFile } from './blob-reader.ts'
import { removeTemporary } from './disk.ts'
import type { FinalNames } from './final-names.ts'
import { presignedBlob, presignedGet } from './presigned.ts'
import { writeTemporary } from './temporary.ts'

export interface FolderBlobsOptions {
  readonly names: FinalNames
  /** The folder of temporaries, on the same file system; nobody else writes there. */
  readonly temporaries: string
  /** Signs presigned requests. */
  readonly secret: Uint8Array
  readonly clock: Clock
}

export function folderBlobs({ names, temporaries, secret, clock }: FolderBlobsOptions): BlobStore {
  let count = 0
  const newTemporary = () => join(temporaries, (count++).toString(36))

  return {
    async write(blob, bytes, { signal }) {
      const temporary = newTemporary()
      await writeTemporary(temporary, bytes, signal)
      try {
        await names.give(blob, temporary)
      } catch (error) {
        await removeTemporary(temporary)
        throw error
      }
      return 'written'
    },

    inspect: (blob) => names.inspect(blob),

    read: (blob, range, signal) => readFile(names.pathOf(blob), range, signal),

    presignGet: async (entry, seconds) => presignedGet(secret, entry, clock() + seconds * 1000),

    presignPut: async (blob, size, contentType, seconds) =>
      presignedBlob(secret, blob, { size, contentType }, clock() + seconds * 1000),

    async check() {
      const temporary = newTemporary()
      await writeTemporary(temporary, probe(), undefined)
      await removeTemporary(temporary)
    },
  }
}

/** One byte: a full disk may still take an empty file. */
async function* probe() {
  yield new Uint8Array(1)
}
