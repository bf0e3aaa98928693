/**
 * The blob store in a folder. A blob has its final name only when its bytes are complete, right and on disk:
 * a temporary is verified and synced, and only then given the name.
 */
import { join } from 'node:path'
import type { ByteRange } from '../domain/byte-range.ts'
import type { BlobStore, Clock } from '../repository/ports.ts'
import { abortable } from './abortable.ts'
import type { BlobFiles } from './blob-files.ts'
import { readFile } from './blob-reader.ts'
import { removeTemporary } from './disk.ts'
import { presignedBlob, presignedGet } from './presigned.ts'
import { SMALL_BLOB_BYTES, type SmallBlobs } from './small-blobs.ts'
import { writeTemporary } from './temporary.ts'

export interface FolderBlobsOptions {
  readonly files: BlobFiles
  readonly small: SmallBlobs
  /** The folder of temporaries, on the same file system; nobody else writes there. */
  readonly temporaries: string
  /** Signs presigned requests. */
  readonly secret: Uint8Array
  readonly clock: Clock
}

export function folderBlobs({ files, small, temporaries, secret, clock }: FolderBlobsOptions): BlobStore {
  let count = 0
  const newTemporary = () => join(temporaries, (count++).toString(36))

  return {
    async write(blob, bytes, { size, signal }) {
      if (size !== undefined && size <= SMALL_BLOB_BYTES) {
        const whole = await gather(bytes, signal)
        // On disk with its entry, or before it: whoever hands out no entry asks `inspect`, which waits.
        small.put(blob, whole).catch(() => undefined)
        return 'written'
      }
      const temporary = newTemporary()
      await writeTemporary(temporary, bytes, signal)
      try {
        await files.publish(blob, temporary)
      } catch (error) {
        await removeTemporary(temporary)
        throw error
      }
      return 'written'
    },

    async inspect(blob) {
      await small.settled(blob)
      const bytes = small.get(blob)
      return bytes ? { found: true, size: bytes.byteLength, attested: true } : files.inspect(blob)
    },

    async read(blob, range, signal) {
      const bytes = small.get(blob)
      return bytes ? readSmall(bytes, range) : readFile(files.pathOf(blob), range, signal)
    },

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

async function gather(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of abortable(bytes, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* readSmall(bytes: Uint8Array, range: ByteRange | undefined) {
  const part = range ? bytes.subarray(range.first, range.last + 1) : bytes
  if (part.byteLength > 0) yield part
}

/** One byte: a full disk may still take an empty file. */
async function* probe() {
  yield new Uint8Array(1)
}
