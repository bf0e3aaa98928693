/**
 * The staging area in a folder: one sparse file for each attempt, into which every part is written at its offset, so that publishing the
 * artifact is a rename. A part counts only when its bytes had their SHA-256 and are on disk (see staging-table.ts).
 */
import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { wholeRange } from '../domain/byte-range.ts'
import { partSize } from '../domain/limits.ts'
import type { UploadId } from '../domain/upload.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { type Pourable, pour } from '../flow/pourable.ts'
import type { Clock, HealthCheck } from '../repository/ports.ts'
import type { StagedBytes, StagedUpload, Staging } from '../repository/upload-ports.ts'
import type { BlobFiles } from './blob-files.ts'
import { readFile } from './blob-reader.ts'
import { createSparseFile, openFile, removeTemporary, sealFile, sizeOfBlob, syncFolder } from './disk.ts'
import type { FreeSpace } from './free-space.ts'
import { inPlaceCheck, uploadsRemedy } from './in-place.ts'
import { type PartId, presignedPart, type SignedPut, signedBytes } from './presigned.ts'
import type { StagingTable } from './staging-table.ts'
import { streamToFile } from './stream-to-file.ts'
import { writeTemporary } from './temporary.ts'
import type { StagingFile } from './upload-row.ts'

export interface FolderStaging extends Staging, HealthCheck {
  /**
   * Takes the bytes of one part.
   *
   * @param body requests the bytes, after all checks have passed.
   * @returns `busy` while another sender writes this part, `gone` when its staging file accepts no more parts or is not in place.
   * @throws BucketError `digest_mismatch`, `insufficient_storage`, `unavailable`; the errors of the body.
   */
  receive(
    part: PartId,
    signed: SignedPut,
    body: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<'received' | 'busy' | 'gone'>
  /** The upload that a part belongs to, while it has a staging file. */
  uploadOf(part: PartId): UploadId | undefined
  /** Removes files that the table does not name. Call it only while no upload can begin. */
  removeOrphans(): Promise<void>
}

export interface FolderStagingOptions {
  /** The folder of staging files, on the file system of the final names; no other program writes there. */
  readonly folder: string
  readonly table: StagingTable
  readonly blobFiles: BlobFiles
  readonly space: FreeSpace
  readonly secret: Uint8Array
  readonly clock: Clock
  /** Is called once for each staging file of an open upload that something else has removed or cut short. */
  readonly onLost: (path: string, id: UploadId) => void
}

export function folderStaging(options: FolderStagingOptions): FolderStaging {
  const { folder, table, blobFiles, space, secret, clock, onLost } = options
  const fileOf = (stagingId: string) => join(folder, stagingId)
  const receiving = new Set<string>()
  const reported = new Set<string>()
  const { isInPlace, assertInPlace } = inPlaceCheck(folder, 'folder', uploadsRemedy('folder'))

  /** The staging file, if it accepts parts. One that has lost its bytes does not: its upload begins again. */
  async function findOpen(stagingId: string): Promise<StagingFile | undefined> {
    assertInPlace()
    if (table.find(stagingId)?.isComplete !== false) return undefined
    const path = fileOf(stagingId)
    const size = await sizeOfBlob(path)
    // It may have been completed, published or dropped in the meantime.
    const stagingFile = table.find(stagingId)
    if (stagingFile?.isComplete !== false) return undefined
    if (size === stagingFile.size) return stagingFile
    if (!reported.has(stagingId)) onLost(path, stagingFile.id)
    reported.add(stagingId)
    return undefined
  }

  async function receivePart(
    part: PartId,
    signed: SignedPut,
    body: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<'received' | 'gone'> {
    const { stagingId, number } = part
    const stagingFile = await findOpen(stagingId)
    if (!stagingFile) return 'gone'
    const bytes = () => signedBytes(body(), signed)
    const known = table.part(stagingId, number)
    if (known?.sha256 === signed.sha256) {
      // The same bytes again, from a sender that missed the response: the received part stays, even if this request fails.
      for await (const _ of abortableIterable(bytes(), signal));
      return 'received'
    }
    await space.require(signed.size)
    const take = known ? replacePart : writePart
    return take(part, stagingFile.size, signed, bytes(), signal)
  }

  /** Other bytes for a received part: it is kept until the new bytes have fully arrived. */
  async function replacePart(
    part: PartId,
    wholeSize: number,
    signed: SignedPut,
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<'received' | 'gone'> {
    const spare = fileOf(randomUUID())
    await writeTemporary(spare, bytes, signal)
    try {
      // While a part is missing from the table, its staging file cannot be completed, so no verifier reads changing bytes.
      if (!(await table.forget(part.stagingId, part.number))) return 'gone'
      return await writePart(part, wholeSize, signed, readAll(spare, signed.size, signal), signal)
    } finally {
      await removeTemporary(spare)
    }
  }

  /** @param wholeSize of the artifact in bytes, from which the part's offset follows. */
  async function writePart(
    { stagingId, number }: PartId,
    wholeSize: number,
    { size, sha256 }: SignedPut,
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<'received' | 'gone'> {
    const open = async () => {
      const fd = await openFile(fileOf(stagingId))
      if (fd === undefined) throw new StagingFileGone()
      return fd
    }
    try {
      await streamToFile(open, (number - 1) * partSize(wholeSize), bytes, signal)
    } catch (error) {
      if (!(error instanceof StagingFileGone)) throw error
      await findOpen(stagingId) // tells the operator if it is lost
      return 'gone'
    }
    if (!(await findOpen(stagingId))) return 'gone'
    return (await table.record(stagingId, { number, size, sha256 })) ? 'received' : 'gone'
  }

  return {
    async begin(id, attempt, size) {
      assertInPlace()
      await space.require(size)
      const stagingId = randomUUID()
      await createSparseFile(fileOf(stagingId), size)
      try {
        await syncFolder(folder)
        await table.open(stagingId, { id, attempt, size, createdAt: clock() })
      } catch (error) {
        await removeTemporary(fileOf(stagingId))
        throw error
      }
      return stagingId
    },

    async presignPart(upload, number, size, sha256, seconds) {
      assertInPlace()
      const part = { stagingId: idOf(upload), number }
      return presignedPart(secret, part, { size, sha256 }, clock() + seconds * 1000)
    },

    async parts(upload) {
      const stagingId = idOf(upload)
      return (await findOpen(stagingId)) ? table.parts(stagingId) : undefined
    },

    complete: async (upload, parts) =>
      (await table.complete(idOf(upload), parts)) ? 'complete' : 'incomplete',

    async open(upload): Promise<StagedBytes | undefined> {
      assertInPlace()
      const stagingId = idOf(upload)
      if (table.find(stagingId)?.isComplete !== true) return undefined
      const path = fileOf(stagingId)
      const size = await sizeOfBlob(path)
      if (size === undefined) return undefined
      return {
        size,
        read: (signal) => readAll(path, size, signal),
        promote: async (blob) => promotion(blob, path, size),
      }
    },

    async drop(upload) {
      const stagingId = idOf(upload)
      await table.drop(stagingId)
      await removeTemporary(fileOf(stagingId))
      reported.delete(stagingId)
    },

    async receive(part, signed, body, signal) {
      // Its sender then begins the upload again, and that refusal says what the operator should do.
      if (!isInPlace() || !table.isInPlace()) return 'gone'
      const name = `${part.stagingId}/${part.number}`
      if (receiving.has(name)) return 'busy'
      receiving.add(name)
      try {
        return await receivePart(part, signed, body, signal)
      } finally {
        receiving.delete(name)
      }
    },

    async check() {
      assertInPlace()
    },

    uploadOf: ({ stagingId }) => table.find(stagingId)?.id,

    async removeOrphans() {
      for (const name of await readdir(folder)) if (!table.find(name)) await removeTemporary(fileOf(name))
    },
  }

  /** The bytes need no copy, because the file is on the file system of the final names already. */
  function promotion(blob: Parameters<StagedBytes['promote']>[0], path: string, size: number) {
    return {
      async waitForCopies() {},
      async publish() {
        const state = await blobFiles.inspect(blob)
        if (state.found && state.attested && state.size === size) return 'exists' as const
        await sealFile(path)
        await blobFiles.publish(blob, path)
        return 'written' as const
      },
      async abandon() {},
    }
  }
}

/** An upload without a staging id has no staging file. */
const idOf = ({ stagingId }: StagedUpload): string => stagingId ?? ''

function readAll(path: string, size: number, signal: AbortSignal | undefined): Pourable {
  const opened = () => readFile(path, wholeRange(size), signal)
  return {
    async *[Symbol.asyncIterator]() {
      yield* await opened()
    },
    pour: async (write) => pour(await opened(), write),
  }
}

/** The file was dropped, or has become a blob. */
class StagingFileGone extends Error {}
