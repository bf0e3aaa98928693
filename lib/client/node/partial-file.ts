/**
 * The file that a download fills, kept until it is complete. Its content is the bytes of the artifact and then one byte per granule of 1
 * MiB, which is 1 once those bytes were written. The marks are hints (after a power cut they may be wrong): every byte is hashed before the
 * file is used.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { type Digest, digestHex } from '../../domain/digest.ts'
import { MIB } from '../../domain/limits.ts'
import { claim, claimedPath, freePath, hasUnfinished, removeStale } from './claim.ts'

export const GRANULE_BYTES = MIB

/** Readable only by its owner, because it may replace a private file. */
const OWNER_ONLY = 0o600

const SUFFIX = '.bucket-partial'

export interface ByteSpan {
  readonly start: number
  /** After the last byte. */
  readonly end: number
}

export interface KeptPartial {
  readonly path: string
  /** Bytes that need not be fetched again. */
  readonly bytes: number
  readonly total: number
}

export class PartialFile {
  readonly handle: FileHandle
  readonly path: string
  readonly #folder: string
  readonly #digest: Digest
  readonly #size: number
  readonly #marks: Uint8Array

  private constructor(
    handle: FileHandle,
    path: string,
    folder: string,
    digest: Digest,
    size: number,
    marks: Uint8Array,
  ) {
    this.handle = handle
    this.path = path
    this.#folder = folder
    this.#digest = digest
    this.#size = size
    this.#marks = marks
  }

  /**
   * Continues the partial file of an earlier run, or creates one.
   *
   * @throws the system's error when the folder cannot be written.
   */
  static async take(folder: string, digest: Digest, size: number): Promise<PartialFile> {
    const hex = digestHex(digest)
    for (let found = await claim(folder, hex, SUFFIX); found; found = await claim(folder, hex, SUFFIX)) {
      const handle = await open(found, 'r+')
      const marks = await readMarks(handle, size)
      if (marks) return new PartialFile(handle, found, folder, digest, size, marks)
      await handle.close()
      await rm(found, { force: true })
    }
    const path = claimedPath(folder, hex, SUFFIX)
    const handle = await open(path, 'wx+', OWNER_ONLY)
    const marks = new Uint8Array(granuleCount(size))
    await handle.truncate(size + marks.byteLength)
    return new PartialFile(handle, path, folder, digest, size, marks)
  }

  isWritten(granule: number): boolean {
    return this.#marks[granule] === 1
  }

  /** Bytes in granules that were written. */
  get writtenBytes(): number {
    return this.#marks.reduce(
      (sum, mark, at) => (mark === 1 ? sum + this.granule(at).end - at * GRANULE_BYTES : sum),
      0,
    )
  }

  granule(at: number): ByteSpan {
    return { start: at * GRANULE_BYTES, end: Math.min(this.#size, (at + 1) * GRANULE_BYTES) }
  }

  /** Records that the bytes of a granule were written. */
  async mark(granule: number): Promise<void> {
    this.#marks[granule] = 1
    await this.handle.write(this.#marks, granule, 1, this.#size + granule)
  }

  /** The spans that are still to be fetched, in order, of at most `most` bytes that begin at a granule. */
  missing(most: number): ByteSpan[] {
    const spans: ByteSpan[] = []
    for (let at = 0; at < this.#marks.length; at++) {
      if (this.isWritten(at)) continue
      const { start, end } = this.granule(at)
      const last = spans.at(-1)
      if (last?.end === start && Math.floor(last.start / most) === Math.floor(start / most))
        spans[spans.length - 1] = { start: last.start, end }
      else spans.push({ start, end })
    }
    return spans
  }

  /** Gives the complete, verified file its name and permissions. Its bytes are on disk before it has the name. */
  async publish(file: string, mode: number): Promise<void> {
    try {
      await this.handle.truncate(this.#size)
      await this.handle.chmod(mode)
      await this.handle.sync()
      await this.handle.close()
      await rename(this.path, file)
    } catch (error) {
      await rm(this.path, { force: true })
      throw error
    }
  }

  /** Keeps the written bytes for a later run. @returns undefined if they were too few to keep. */
  async release(): Promise<KeptPartial | undefined> {
    await this.handle.close()
    const bytes = this.writtenBytes
    if (bytes === 0) {
      await rm(this.path, { force: true })
      return undefined
    }
    const path = freePath(this.#folder, digestHex(this.#digest), SUFFIX)
    // Another process may have left its own meanwhile. The last rename wins.
    await rename(this.path, path)
    return { path, bytes, total: this.#size }
  }

  async remove(): Promise<void> {
    await this.handle.close()
    await rm(this.path, { force: true })
  }
}

/** Whether a folder has partial files of this digest, or of any. */
export const hasPartials = (folder: string, digest: Digest | undefined): Promise<boolean> =>
  hasUnfinished(folder, digest && digestHex(digest), SUFFIX)

/** Removes partial files that were untouched for a week. */
export const removeStalePartials = (folder: string): Promise<void> => removeStale(folder, SUFFIX)

const granuleCount = (size: number): number => Math.ceil(size / GRANULE_BYTES)

/** @returns undefined when the file does not have the form of a partial file of this size. */
async function readMarks(handle: FileHandle, size: number): Promise<Uint8Array | undefined> {
  const marks = new Uint8Array(granuleCount(size))
  if ((await handle.stat()).size !== size + marks.byteLength) return undefined
  for (let at = 0; at < marks.byteLength; ) {
    const { bytesRead } = await handle.read(marks, at, marks.byteLength - at, size + at)
    if (bytesRead === 0) return undefined
    at += bytesRead
  }
  return marks
}
