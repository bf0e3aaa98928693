/**
 * The blob store in a folder. A blob has its final name only when its bytes are complete, right and on disk:
 * a temporary is verified, synced and then renamed, over whatever has the name, which is therefore never taken on trust.
 */
import { join } from 'node:path'
import type { BlobId, BlobStore, Clock } from '#repository/ports'
import { blobFolder, blobName } from './blob-names.ts'
import { readFile } from './blob-reader.ts'
import { closeFile, openFile, removeTemporary, renameFile, sizeOfFile, syncFile } from './disk.ts'
import { durableFolders } from './durable-folders.ts'
import { presignedGet, presignedPut } from './presigned.ts'
import { writeTemporary } from './temporary.ts'

/** Blobs whose durable write this process remembers; an older one is hashed again when it must be proven. */
const ATTESTED = 10_000

export interface FolderBlobsOptions {
  /** The folder of final names; exists durably. */
  readonly root: string
  /** The folder of temporaries, on the same file system; nobody else writes there. */
  readonly temporaries: string
  /** Signs presigned requests. */
  readonly secret: Uint8Array
  readonly clock: Clock
}

export function folderBlobs(options: FolderBlobsOptions): BlobStore {
  const { root, temporaries, secret, clock } = options
  const folders = durableFolders(root)
  const attested = new Set<string>()
  let count = 0
  const newTemporary = () => join(temporaries, (count++).toString(36))

  const attest = (path: string) => {
    attested.add(path)
    for (const oldest of attested) {
      if (attested.size <= ATTESTED) break
      attested.delete(oldest)
    }
  }

  const place = (blob: BlobId) => {
    const folder = blobFolder(root, blob)
    return { folder, path: join(folder, blobName(blob)) }
  }

  return {
    async write(blob, bytes, { signal }) {
      const { folder, path } = place(blob)
      const temporary = newTemporary()
      await writeTemporary(temporary, bytes, signal)
      try {
        await folders.ensure(folder)
        await renameFile(temporary, path)
      } catch (error) {
        folders.forget(folder)
        await removeTemporary(temporary)
        throw error
      }
      await folders.sync(folder)
      attest(path)
      return 'written'
    },

    async inspect(blob) {
      const { folder, path } = place(blob)
      const fd = await openFile(path)
      if (fd === undefined) return { found: false }
      try {
        // Whoever wrote it may have died before its syncs: what is found must not vanish after it was counted on.
        await syncFile(fd)
        await folders.ensure(folder)
        await folders.sync(folder)
        return { found: true, size: sizeOfFile(fd), attested: attested.has(path) }
      } finally {
        await closeFile(fd)
      }
    },

    read: (blob, range, signal) => readFile(place(blob).path, range, signal),

    presignGet: async (entry, seconds) => presignedGet(secret, entry, clock() + seconds * 1000),

    presignPut: async (blob, size, contentType, seconds) =>
      presignedPut(secret, blob, { size, contentType }, clock() + seconds * 1000),

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
