/**
 * The final names of blobs, in the folder of all blobs. Only a complete, verified and durable file is renamed to one. It
 * replaces an existing file of that name, because that file has no attestation and the new one has the digest of the name.
 */
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import type { BlobId } from '../domain/entry.ts'
import type { BlobState } from '../repository/ports.ts'
import { blobFolder, blobName } from './blob-names.ts'
import { closeFile, openBlob, removeFile, renameFile, syncFile } from './disk.ts'
import { onDisk } from './disk-error.ts'
import { durableFolders } from './durable-folders.ts'
import { inPlaceCheck } from './in-place.ts'

/** The number of blobs whose durable write this process remembers. An older one is hashed again if it needs proof. */
const ATTESTED = 10_000

export interface BlobFiles {
  pathOf(blob: BlobId): string
  /** @throws BucketError `unavailable` when the folder of all blobs was moved, removed or replaced. */
  assertInPlace(): void
  /** @throws BucketError `unavailable` also when this process may not use it. */
  assertUsable(): void
  /**
   * Gives a durable file, on the same file system, the name of a blob, durably.
   *
   * @param file whose bytes were verified to have the blob's digest. On failure it stays where it is.
   */
  publish(blob: BlobId, file: string): Promise<void>
  /** Removes the file of a blob, durably, if it exists. Only for the owner of the folder. */
  remove(blob: BlobId): Promise<void>
  /** As `BlobStore.inspect`; a blob that it finds is durable. */
  inspect(blob: BlobId): Promise<BlobState>
}

/** @param root the folder of all blobs; exists durably. */
export function blobFiles(root: string): BlobFiles {
  const folders = durableFolders(root)
  const attested = new Set<string>()
  const remedy = 'put that folder back in its place, and restart the server'
  const place = inPlaceCheck(root, 'folder', remedy)
  const { assertInPlace } = place

  const attest = (path: string) => {
    attested.add(path)
    for (const oldest of attested) {
      if (attested.size <= ATTESTED) break
      attested.delete(oldest)
    }
  }
  const locate = (blob: BlobId) => {
    const folder = blobFolder(root, blob)
    return { folder, path: join(folder, blobName(blob)) }
  }

  return {
    pathOf: (blob) => locate(blob).path,
    assertInPlace,

    assertUsable() {
      place.assertInPlace()
      onDisk(() => accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK))
    },

    async publish(blob, file) {
      const { folder, path } = locate(blob)
      assertInPlace()
      const rename = async () => {
        await folders.ensure(folder)
        await renameFile(file, path)
      }
      await rename().catch(() => {
        // An operator may have removed the folder, which is made again then.
        folders.forget(folder)
        return rename()
      })
      await folders.sync(folder)
      attest(path)
    },

    async remove(blob) {
      const { folder, path } = locate(blob)
      if (!(await removeFile(path))) return
      await folders.sync(folder)
      attested.delete(path)
    },

    async inspect(blob) {
      const { folder, path } = locate(blob)
      const opened = await openBlob(path)
      if (opened === undefined) return { found: false }
      const { fd, size } = opened
      try {
        // Its writer may have died before its syncs. Sync it here, so that a file on which a caller relies cannot disappear.
        await syncFile(fd)
        await folders.ensure(folder)
        await folders.sync(folder)
        return { found: true, size, attested: attested.has(path) }
      } finally {
        await closeFile(fd)
      }
    },
  }
}
