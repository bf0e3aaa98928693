/** Faults of a stored blob's file. The owner's tools judge it as a fetch does: a symlink is not followed, and is damage. */
import { createHash } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { wholeRange } from '../domain/byte-range.ts'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { KIB } from '../domain/limits.ts'
import { errorCode } from '../flow/error-code.ts'
import { WholeBytes } from '../flow/whole-bytes.ts'
import { readFile } from './blob-reader.ts'
import { readBlobHere } from './disk.ts'

/** A blob of up to this many bytes is read on the main thread. */
const HERE_BYTES = 256 * KIB

export interface BlobFault {
  readonly fault: 'missing' | 'wrong_size' | 'wrong_digest' | 'unreadable'
  /** What was found instead: bytes. */
  readonly foundSize?: number
  readonly foundDigest?: Digest
}

/** An entry whose bytes are missing or wrong. */
export interface Damage extends BlobFault {
  readonly entry: Entry
  /** Relative to the data folder. */
  readonly path: string
  /** Where the file is now, relative to the data folder, if it was moved aside. */
  readonly movedTo?: string
}

/** Judges by name and size alone. */
export function nameFault({ size }: Entry, path: string): BlobFault | undefined {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return { fault: 'missing' }
    if (!stats.isFile()) return { fault: 'unreadable' }
    return stats.size === size ? undefined : { fault: 'wrong_size', foundSize: stats.size }
  } catch (error) {
    const code = errorCode(error)
    return { fault: code === 'ENOTDIR' ? 'missing' : 'unreadable' }
  }
}

/** The bytes are not those of the entry. */
export class WrongBytes extends Error {
  readonly fault: BlobFault

  constructor(fault: BlobFault) {
    super(fault.fault)
    this.fault = fault
  }
}

/** The bytes of an entry. Ends normally only if they have its digest. @throws WrongBytes; the reason of `signal`. */
export async function* verifiedBytes(
  { size, digest }: Entry,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of await bytesOf(path, size, signal)) {
      hash.update(chunk)
      yield chunk
    }
  } catch (error) {
    if (error instanceof BucketError) throw new WrongBytes({ fault: 'unreadable' })
    throw error
  }
  const found = digestFromHex(hash.digest('hex'))
  if (found !== digest) throw new WrongBytes({ fault: 'wrong_digest', foundDigest: found })
}

async function bytesOf(path: string, size: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (size > HERE_BYTES) return readFile(path, wholeRange(size), signal)
  const bytes = readBlobHere(path, size)
  if (bytes === undefined) throw new WrongBytes({ fault: 'unreadable' })
  return new WholeBytes(bytes)
}
