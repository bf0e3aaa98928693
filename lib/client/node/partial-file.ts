/**
 * The file that a download fills, kept until it is whole. Its name holds the digest, so that a later run finds it, and the
 * process that works on it. Taking a partial file is a rename to a name of one's own, which only one process can win.
 *
 * Its content is the bytes of the artifact and then one byte per granule of 1 MiB, which is 1 once those bytes were
 * written. The marks are hints (after a power cut they may be wrong): every byte is hashed before the file is used.
 */
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Digest, digestHex } from '../../domain/digest.ts'
import { MIB } from '../../domain/limits.ts'

export const GRANULE_BYTES = MIB

/** Only its owner reads a partial file, since it may replace a file that nobody else may read. */
const OWNER_ONLY = 0o600

/** What nobody continued for this long is removed. Milliseconds. */
const STALE_MS = 7 * 24 * 3600 * 1000
/** The partial file of a process on another machine counts as free after this long without a write. Milliseconds. */
const FOREIGN_IDLE_MS = 3600 * 1000

const SUFFIX = '.bucket-part'
const NAME = /^\.([0-9a-f]{64})(?:\.([0-9a-f]{8})-(\d+)-(\d+)-\d+)?\.bucket-part$/

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

let counter = 0

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
    const path = join(folder, `.${hex}.${OWNER}-${counter++}${SUFFIX}`)
    for (const name of await freePartials(folder, hex)) {
      if (!(await renamed(join(folder, name), path))) continue
      const handle = await open(path, 'r+')
      const marks = await readMarks(handle, size)
      if (marks) return new PartialFile(handle, path, folder, digest, size, marks)
      await handle.close()
      await rm(path, { force: true })
    }
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

  /** Notes that the bytes of a granule were written. */
  async mark(granule: number): Promise<void> {
    this.#marks[granule] = 1
    await this.handle.write(this.#marks, granule, 1, this.#size + granule)
  }

  /** What is still to be fetched, in order, in spans of at most `most` bytes that begin at a granule. */
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

  /** Gives the whole, verified file its name and permissions. Its bytes are on disk before it has the name. */
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

  /** Leaves what was written to a later run. @returns undefined if it was too little to be kept. */
  async release(): Promise<KeptPartial | undefined> {
    await this.handle.close()
    const bytes = this.writtenBytes
    if (bytes === 0) {
      await rm(this.path, { force: true })
      return undefined
    }
    const path = join(this.#folder, freeName(digestHex(this.#digest)))
    // Another process may have left its own meanwhile: the one that is renamed last stays.
    await rename(this.path, path)
    return { path, bytes, total: this.#size }
  }

  async remove(): Promise<void> {
    await this.handle.close()
    await rm(this.path, { force: true })
  }
}

/** Whether a folder has partial files of this digest, or of any. False where it cannot be listed. */
export async function hasPartials(folder: string, digest: Digest | undefined): Promise<boolean> {
  const names = await partials(folder)
  return names.some(({ hex }) => digest === undefined || hex === digestHex(digest))
}

/** Removes partial files that were not continued for a week. */
export async function removeStalePartials(folder: string): Promise<void> {
  for (const { name, owner } of await partials(folder)) {
    const path = join(folder, name)
    if (isAlive(owner) || (await idleMs(path)) < STALE_MS) continue
    await rm(path, { force: true })
  }
}

interface Owner {
  readonly host: string
  readonly pid: number
  /** When the process started, in the system's own unit; 0 where it is not known. */
  readonly started: number
}

const granuleCount = (size: number): number => Math.ceil(size / GRANULE_BYTES)

const freeName = (hex: string): string => `.${hex}${SUFFIX}`

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

/** The names of partial files of this digest that no process works on, the largest first. */
async function freePartials(folder: string, hex: string): Promise<string[]> {
  const found = (await partials(folder)).filter((partial) => partial.hex === hex)
  const free = [freeName(hex)]
  for (const { name, owner } of found) {
    if (owner === undefined || isAlive(owner)) continue
    if (owner.host !== HOST && (await idleMs(join(folder, name))) < FOREIGN_IDLE_MS) continue
    free.push(name)
  }
  return free
}

async function partials(folder: string): Promise<{ name: string; hex: string; owner: Owner | undefined }[]> {
  // A folder that can be written but not listed has at most the partial file whose name is known.
  const names = await readdir(folder).catch(() => [])
  return names.flatMap((name) => {
    const [, hex, host, pid, started] = NAME.exec(name) ?? []
    if (hex === undefined) return []
    const owner = host === undefined ? undefined : { host, pid: Number(pid), started: Number(started) }
    return [{ name, hex, owner }]
  })
}

/** Whether the process runs on this machine. Of other machines nothing is known. */
function isAlive(owner: Owner | undefined): boolean {
  if (owner === undefined || owner.host !== HOST) return false
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // EPERM: it runs, for another user.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  // The number of a process that ended is given to another one.
  const started = startedAt(owner.pid)
  return started === 0 || owner.started === 0 || started === owner.started
}

/** Field 22 of `/proc/PID/stat` (proc_pid_stat(5)); 0 where there is none. */
function startedAt(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? 0)
  } catch {
    return 0
  }
}

/** Process numbers mean something within one machine and one namespace of processes (a container has its own). */
const HOST = createHash('sha256').update(`${hostname()}\n${pidNamespace()}`).digest('hex').slice(0, 8)
const OWNER = `${HOST}-${process.pid}-${startedAt(process.pid)}`

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

async function idleMs(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined)
  return found === undefined ? 0 : Date.now() - found.mtimeMs
}
