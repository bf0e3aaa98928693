/**
 * Digests of the files of one folder, so that a second push reads only what changed. A file counts as unchanged while its
 * device, inode, size, modification and change time are the same. A file that changed within the last seconds is not
 * remembered, because a later change could leave all of these as they are.
 */
import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Digest, parseDigest } from '../../domain/digest.ts'

/** The coarsest clocks of file systems advance within this time. */
const SETTLED_NS = 2_000_000_000n
const FORMAT = 'bucket-digests 1'

/** `$XDG_CACHE_HOME/bucket/digests`, else below `~/.cache`. */
export const defaultCacheFolder = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bucket', 'digests')

export class DigestCache {
  readonly #path: string | undefined
  readonly #known: ReadonlyMap<string, Digest>
  readonly #seen = new Map<string, Digest>()

  private constructor(path: string | undefined, known: ReadonlyMap<string, Digest>) {
    this.#path = path
    this.#known = known
  }

  /** Opens the cache of a folder. An unreadable cache counts as empty. @param cacheFolder undefined for none. */
  static async open(folder: string, cacheFolder: string | undefined): Promise<DigestCache> {
    if (cacheFolder === undefined) return new DigestCache(undefined, new Map())
    const name = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 32)
    const path = join(cacheFolder, name)
    const text = await readFile(path, 'utf8').catch(() => '')
    const [format, ...lines] = text.split('\n')
    const known = new Map<string, Digest>()
    if (format === FORMAT)
      for (const line of lines) {
        const at = line.indexOf(' ')
        const digest = parseDigest(line.slice(0, at))
        if (digest.ok) known.set(line.slice(at + 1), digest.value)
      }
    return new DigestCache(path, known)
  }

  get(stats: BigIntStats): Digest | undefined {
    const key = keyOf(stats)
    const digest = this.#known.get(key)
    if (digest !== undefined) this.#seen.set(key, digest)
    return digest
  }

  /** @param stats of the file, the same before and after it was hashed. */
  add(stats: BigIntStats, digest: Digest): void {
    const settled = BigInt(Date.now()) * 1_000_000n - SETTLED_NS
    if (stats.mtimeNs > settled || stats.ctimeNs > settled) return
    this.#seen.set(keyOf(stats), digest)
  }

  /** Writes the digests of this run's files. A cache that cannot be written costs only time. */
  async save(): Promise<void> {
    if (this.#path === undefined || this.#seen.size === 0) return
    const lines = [...this.#seen].map(([key, digest]) => `${digest} ${key}`)
    const temporary = `${this.#path}.${process.pid}`
    try {
      await mkdir(join(this.#path, '..'), { recursive: true, mode: 0o700 })
      await writeFile(temporary, `${[FORMAT, ...lines].join('\n')}\n`, { mode: 0o600 })
      await rename(temporary, this.#path)
    } catch {
      await rm(temporary, { force: true }).catch(() => {})
    }
  }
}

const keyOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
