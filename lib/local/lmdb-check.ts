/**
 * Checks an LMDB file before it is mapped, because an invalid page reference would end the process with a signal. Every page that the
 * newest transaction can reach is checked. The layout is that of lmdb 3.5 (data version 2).
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { FolderDamaged } from './folder-format.ts'

const META = {
  magicAt: 24,
  versionAt: 28,
  freeAt: 48,
  mainAt: 96,
  lastPageAt: 144,
  transactionAt: 152,
} as const
const MAGIC = 0xbeefc0de
/** Of a database in a meta page or a node. */
const DATABASE = { bytes: 48, depthAt: 6, rootAt: 40 } as const
const PAGE_HEADER = 24
const FLAGS = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08, leaf2: 0x20 } as const
const NODE = { bytes: 8, bigData: 0x01, subData: 0x02, dupData: 0x04 } as const
const NO_PAGE = 0xffff_ffff_ffff_ffffn

/**
 * @param next what an operator should do about a damaged file.
 * @throws FolderDamaged when the file is missing or damaged.
 */
export function checkLmdbFile(path: string, next: string): void {
  const fault = lmdbFault(path)
  if (fault !== undefined) throw new FolderDamaged(`${path} ${fault}`, next)
}

/** @returns what is wrong with the file, or undefined. */
export function lmdbFault(path: string): string | undefined {
  if (!existsSync(path)) return 'is missing'
  const fd = openSync(path, 'r')
  try {
    return new LmdbFile(fd).check()
  } catch (error) {
    if (error instanceof Damaged) return `is damaged: ${error.message}`
    throw error
  } finally {
    closeSync(fd)
  }
}

class Damaged extends Error {}

class LmdbFile {
  readonly #fd: number
  readonly #size: number
  #pageBytes = 4096
  #lastPage = 0

  constructor(fd: number) {
    this.#fd = fd
    this.#size = fstatSync(fd).size
  }

  check(): undefined {
    if (this.#size === 0) throw new Damaged('it is empty')
    const first = this.#read(0, 4096)
    this.#pageBytes = first.readUInt32LE(META.freeAt)
    if (this.#pageBytes < 4096 || this.#pageBytes > 65_536 || this.#pageBytes % 4096 !== 0)
      throw new Damaged('its first page is not one of LMDB')
    const metas = [first, this.#read(this.#pageBytes, 4096)]
    for (const meta of metas)
      if (meta.readUInt32LE(META.magicAt) !== MAGIC || (meta.readUInt32LE(META.versionAt) & 0xffff) !== 2)
        throw new Damaged('its first pages are not those of LMDB')
    const [newest] = metas.sort((a, b) =>
      Number(b.readBigUInt64LE(META.transactionAt) - a.readBigUInt64LE(META.transactionAt)),
    )
    if (!newest) return
    this.#lastPage = Number(newest.readBigUInt64LE(META.lastPageAt))
    this.#checkDatabase(newest.subarray(META.freeAt))
    this.#checkDatabase(newest.subarray(META.mainAt))
  }

  #read(at: number, length: number): Buffer {
    const buffer = Buffer.alloc(length)
    if (readSync(this.#fd, buffer, 0, length, at) !== length)
      throw new Damaged(`it ends at byte ${this.#size}`)
    return buffer
  }

  #checkDatabase(database: Buffer): void {
    const root = database.readBigUInt64LE(DATABASE.rootAt)
    if (root !== NO_PAGE) this.#checkPage(root, database.readUInt16LE(DATABASE.depthAt))
  }

  #page(number: bigint): Buffer {
    if (number < 2n || number > BigInt(this.#lastPage))
      throw new Damaged(`it refers to page ${number} of ${this.#lastPage}`)
    const page = this.#read(Number(number) * this.#pageBytes, this.#pageBytes)
    if (page.readBigUInt64LE(0) !== number) throw new Damaged(`page ${number} does not have its number`)
    return page
  }

  /** @param depth how many levels the tree has from here. */
  #checkPage(number: bigint, depth: number): void {
    const page = this.#page(number)
    const flags = page.readUInt16LE(18)
    const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)]
    const isLeaf = depth === 1
    if (depth < 1 || (flags & (isLeaf ? FLAGS.leaf : FLAGS.branch)) === 0)
      throw new Damaged(`page ${number} is not of the right kind`)
    if ((flags & FLAGS.leaf2) !== 0) return
    if (lower > upper || upper + PAGE_HEADER > this.#pageBytes + PAGE_HEADER || lower % 2 !== 0)
      throw new Damaged(`page ${number} has no valid bounds`)
    const keys = lower >> 1
    for (let index = 0; index < keys; index += 1) {
      const at = PAGE_HEADER + page.readUInt16LE(PAGE_HEADER + 2 * index)
      this.#checkNode(page, at, isLeaf, depth)
    }
  }

  #checkNode(page: Buffer, at: number, isLeaf: boolean, depth: number): void {
    if (at + NODE.bytes > page.length) throw new Damaged('a node is outside of its page')
    const [low, high] = [page.readUInt16LE(at), page.readUInt16LE(at + 2)]
    const flags = page.readUInt16LE(at + 4)
    const dataAt = at + NODE.bytes + page.readUInt16LE(at + 6)
    if (!isLeaf) {
      if (dataAt > page.length) throw new Damaged('a key is outside of its page')
      this.#checkPage(BigInt(low) | (BigInt(high) << 16n) | (BigInt(flags) << 32n), depth - 1)
      return
    }
    const size = low | (high << 16)
    const isBig = (flags & NODE.bigData) !== 0
    if (dataAt + (isBig ? 8 : size) > page.length) throw new Damaged('a value is outside of its page')
    if (isBig) {
      const first = page.readBigUInt64LE(dataAt)
      const pages = BigInt(Math.ceil((size + PAGE_HEADER) / this.#pageBytes))
      this.#page(first)
      if (first + pages - 1n > BigInt(this.#lastPage))
        throw new Damaged('a large value is outside of the file')
    } else if ((flags & NODE.subData) !== 0) {
      this.#checkDatabase(page.subarray(dataAt, dataAt + DATABASE.bytes))
    }
  }
}
