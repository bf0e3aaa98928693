/**
 * Compares the ledger of a data folder with the blobs in it, while no server has it open. It only reads, and its memory is that of
 * one artifact's versions and the names of folders, however much is stored.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { wholeRange } from '../domain/byte-range.ts'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { BucketError } from '../domain/errors.ts'
import { formatArtifactKey } from '../domain/identifiers.ts'
import { blobFolder, blobName } from './blob-names.ts'
import { readFile } from './blob-reader.ts'
import { FolderRefused, hasFormat, LAYOUT } from './folder-format.ts'
import { lockFolder } from './folder-lock.ts'
import { type LedgerReader, openLedgerReader } from './lmdb-ledger.ts'

/** An entry whose bytes cannot be given. */
export interface Damage {
  readonly entry: Entry
  readonly fault: 'missing' | 'wrong_size' | 'wrong_digest' | 'unreadable'
  /** Relative to the data folder. */
  readonly path: string
  /** What was found instead: bytes. */
  readonly foundSize?: number
  readonly foundDigest?: Digest
}

/** A blob, or any file in its place, that no entry names: what lost a race, or was never committed. */
export interface Unreferenced {
  /** Relative to the data folder; of a small blob the ledger's file, `#`, and its name in it. */
  readonly path: string
  /** Bytes. */
  readonly size: number
}

export interface FolderCheckOptions {
  /** Reads every byte and compares the digests. */
  readonly verify: boolean
  readonly signal: AbortSignal
  readonly onDamage: (damage: Damage) => void
  readonly onUnreferenced: (file: Unreferenced) => void
  /** Told how many bytes of how many have been read, where they are read. */
  readonly onProgress?: (bytes: number, total: number) => void
}

/** What the ledger holds. */
export interface FolderTotals {
  readonly entries: number
  /** Bytes. */
  readonly size: number
}

/**
 * @throws FolderRefused when a server has the folder, or when it is no data folder; errors of the file system as they are.
 */
export async function checkFolder(dataDir: string, options: FolderCheckOptions): Promise<FolderTotals> {
  const root = resolve(dataDir)
  if (!(await hasFormat(root)))
    throw new FolderRefused(
      `the folder ${root} is no Bucket folder: it has no ${JSON.stringify(LAYOUT.format)} file`,
      'Name the folder that a server was started with as --data-dir.',
    )
  const unlock = lockFolder(root)
  const ledger = join(root, LAYOUT.ledger)
  // A first start that was cut short has no ledger yet.
  const reader = existsSync(ledger) ? openLedgerReader(ledger) : undefined
  try {
    return await new FolderCheck(root, reader, options).run()
  } finally {
    await reader?.close()
    unlock()
  }
}

class FolderCheck {
  readonly #root: string
  readonly #ledger: LedgerReader | undefined
  readonly #blobs: string
  readonly #options: FolderCheckOptions
  /** Folders of artifacts that have entries. */
  readonly #visited = new Set<string>()
  #bytesRead = 0
  #total = 0

  constructor(root: string, ledger: LedgerReader | undefined, options: FolderCheckOptions) {
    this.#root = root
    this.#ledger = ledger
    this.#blobs = join(root, LAYOUT.blobs)
    this.#options = options
  }

  async run(): Promise<FolderTotals> {
    let entries = 0
    for await (const { size } of this.#entries()) {
      entries += 1
      this.#total += size
    }
    let artifact: Entry[] = []
    for await (const entry of this.#entries()) {
      const [first] = artifact
      if (first && formatArtifactKey(first.ref) !== formatArtifactKey(entry.ref)) {
        await this.#checkArtifact(artifact)
        artifact = []
      }
      artifact.push(entry)
    }
    await this.#checkArtifact(artifact)
    await this.#findUnvisited(this.#blobs, 2)
    for await (const { name, size } of this.#ledger?.unreferencedSmallBlobs() ?? [])
      this.#options.onUnreferenced({ path: `${LAYOUT.ledger}#${name}`, size })
    return { entries, size: this.#total }
  }

  async *#entries(): AsyncGenerator<Entry> {
    for await (const entry of this.#ledger?.entries() ?? []) {
      this.#options.signal.throwIfAborted()
      yield entry
    }
  }

  async #checkArtifact(entries: readonly Entry[]): Promise<void> {
    const [first] = entries
    if (!first) return
    const folder = blobFolder(this.#blobs, first)
    this.#visited.add(folder)
    const names = new Set(entries.map(blobName))
    for (const entry of entries) {
      const small = this.#ledger?.smallBlob(entry)
      if (small) this.#checkSmall(entry, small)
      else await this.#checkEntry(entry, join(folder, blobName(entry)))
    }
    for (const name of await listFolder(folder)) if (!names.has(name)) await this.#report(join(folder, name))
  }

  #checkSmall(entry: Entry, bytes: Uint8Array): void {
    const damage = { entry, path: LAYOUT.ledger }
    const found = digestFromHex(createHash('sha256').update(bytes).digest('hex'))
    if (bytes.byteLength !== entry.size)
      this.#options.onDamage({ ...damage, fault: 'wrong_size', foundSize: bytes.byteLength })
    else if (found !== entry.digest)
      this.#options.onDamage({ ...damage, fault: 'wrong_digest', foundDigest: found })
    this.#bytesRead += bytes.byteLength
  }

  async #checkEntry(entry: Entry, path: string): Promise<void> {
    const fault = await this.#faultOf(entry, path)
    if (fault) this.#options.onDamage({ entry, path: relative(this.#root, path), ...fault })
  }

  async #faultOf(entry: Entry, path: string): Promise<Omit<Damage, 'entry' | 'path'> | undefined> {
    const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => error.code)
    if (stats === 'ENOENT' || stats === 'ENOTDIR') return { fault: 'missing' }
    if (typeof stats !== 'object' || !stats.isFile()) return { fault: 'unreadable' }
    if (stats.size !== entry.size) return { fault: 'wrong_size', foundSize: stats.size }
    if (!this.#options.verify) return undefined
    const digest = await this.#digestOf(path, entry.size)
    if (digest === undefined) return { fault: 'unreadable' }
    return digest === entry.digest ? undefined : { fault: 'wrong_digest', foundDigest: digest }
  }

  async #digestOf(path: string, size: number): Promise<Digest | undefined> {
    const { signal, onProgress } = this.#options
    const hash = createHash('sha256')
    try {
      for await (const chunk of await readFile(path, wholeRange(size), signal)) {
        hash.update(chunk)
        this.#bytesRead += chunk.byteLength
        onProgress?.(this.#bytesRead, this.#total)
      }
    } catch (error) {
      if (error instanceof BucketError) return undefined
      throw error
    }
    return digestFromHex(hash.digest('hex'))
  }

  /** @param depth how many folders are between here and files, by the rules of names. */
  async #findUnvisited(folder: string, depth: number): Promise<void> {
    if (this.#visited.has(folder)) return
    for (const name of await listFolder(folder)) {
      const path = join(folder, name)
      const isFolder = depth > 0 && (await lstat(path)).isDirectory()
      await (isFolder ? this.#findUnvisited(path, depth - 1) : this.#report(path))
    }
  }

  async #report(path: string): Promise<void> {
    this.#options.signal.throwIfAborted()
    this.#options.onUnreferenced({ path: relative(this.#root, path), size: (await lstat(path)).size })
  }
}

/** An artifact's folder may be gone, and its blobs with it. */
async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
