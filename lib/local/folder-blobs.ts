/**
 * The blob store in a folder. A blob gets its final name only after its bytes are complete, verified and synced in a temporary file.
 */
import { join } from 'node:path'
import type { ByteRange } from '../domain/byte-range.ts'
import type { BlobId } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatRef } from '../domain/identifiers.ts'
import { abortableIterable } from '../flow/abortable-iterable.ts'
import { Pieces } from '../flow/pieces.ts'
import { WholeBytes } from '../flow/whole-bytes.ts'
import type { BlobStore, Clock } from '../repository/ports.ts'
import type { BlobFiles } from './blob-files.ts'
import { readFile } from './blob-reader.ts'
import { removeTemporary } from './disk.ts'
import type { FreeSpace } from './free-space.ts'
import type { HeldBlobs } from './ledger/held-blobs.ts'
import type { LogLedger } from './ledger/log-ledger.ts'
import { SMALL_BLOB_BYTES } from './ledger/record.ts'
import { presignedBlob, presignedGet } from './presigned.ts'
import { writeTemporary } from './temporary.ts'

export interface FolderBlobsOptions {
  readonly files: BlobFiles
  /** Small blobs that wait for their entry, with which they go into the ledger. */
  readonly held: HeldBlobs
  readonly ledger: Pick<LogLedger, 'storedBlob'>
  /** The folder of temporary files, on the same file system; no other program writes there. */
  readonly temporaries: string
  readonly space: FreeSpace
  /** Signs presigned requests. */
  readonly secret: Uint8Array
  readonly clock: Clock
}

export function folderBlobs(options: FolderBlobsOptions): BlobStore {
  const { files, held, ledger, temporaries, space, secret, clock } = options
  let count = 0
  const newTemporary = () => join(temporaries, (count++).toString(36))

  async function writeFile(
    blob: BlobId,
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const temporary = newTemporary()
    await writeTemporary(temporary, bytes, signal)
    try {
      await files.publish(blob, temporary)
    } catch (error) {
      await removeTemporary(temporary)
      throw error
    }
  }

  /** A store of the same bytes restores a blob that is damaged in its record, as a file. */
  async function readReplacement(
    blob: BlobId,
    range: ByteRange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>> {
    if ((await files.inspect(blob)).found) return readFile(files.pathOf(blob), range, signal, blob.digest)
    throw BucketError.blobLost(
      `the stored bytes of ${formatRef(blob.ref)} are damaged`,
      `the bytes in the ledger's record of ${formatRef(blob.ref)} do not have its digest`,
    )
  }

  return {
    async write(blob, bytes, { size, signal }) {
      if (size === undefined || size > SMALL_BLOB_BYTES) {
        // Before the first byte is requested.
        if (size !== undefined) await space.require(size)
        await writeFile(blob, bytes, signal)
        return 'written'
      }
      const whole = await gather(bytes, signal)
      // Durable with its entry. Callers that append none call `inspect`, which writes a file.
      if (!held.hold(blob, whole)) await writeFile(blob, new WholeBytes(whole), signal)
      return 'written'
    },

    async inspect(blob) {
      const stored = ledger.storedBlob(blob)
      if (stored && stored !== 'damaged') return { found: true, size: stored.byteLength, attested: true }
      const waiting = held.get(blob)
      if (waiting) {
        await writeFile(blob, new WholeBytes(waiting), undefined)
        held.forget(blob)
      }
      return files.inspect(blob)
    },

    async read(blob, range, signal) {
      const stored = ledger.storedBlob(blob)
      if (stored === 'damaged') return readReplacement(blob, range, signal)
      const bytes = stored ?? held.get(blob)
      return bytes ? readSmall(bytes, range) : readFile(files.pathOf(blob), range, signal, blob.digest)
    },

    presignGet: async (entry, seconds) => presignedGet(secret, entry, clock() + seconds * 1000),

    async presignPut(blob, size, { contentType }, seconds) {
      await space.require(size)
      return presignedBlob(secret, blob, { size, contentType }, clock() + seconds * 1000)
    },

    async check() {
      files.assertUsable()
      const temporary = newTemporary()
      await writeTemporary(temporary, probe(), undefined)
      await removeTemporary(temporary)
    },
  }
}

async function gather(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (bytes instanceof WholeBytes) return bytes.bytes
  const pieces = new Pieces()
  for await (const chunk of abortableIterable(bytes, signal)) pieces.add(chunk)
  return pieces.whole()
}

const readSmall = (bytes: Uint8Array, range: ByteRange | undefined) =>
  new WholeBytes(range ? bytes.subarray(range.first, range.last + 1) : bytes)

/** One byte: a full disk may still take an empty file. */
const probe = () => new WholeBytes(new Uint8Array(1))
