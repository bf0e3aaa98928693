/** Lists a local folder as a manifest describes it. Reads names and sizes, no bytes. */
import type { Dirent, Stats } from 'node:fs'
import { readdir, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FolderError } from '../folder/folder-error.ts'
import { type ManifestFolder, type ManifestSymlink, pathFault, targetFault } from '../folder/manifest.ts'
import { pathPattern } from '../folder/path-pattern.ts'

export interface ScanOptions {
  /** Only files that match one of these patterns: `*`, `?` and `[…]`, against the whole path or the last name. */
  readonly include?: readonly string[] | undefined
  /** No file, folder or symlink that matches one of these. */
  readonly exclude?: readonly string[] | undefined
}

export interface LocalFile {
  /** In the folder, with `/` between segments. */
  readonly path: string
  readonly location: string
  /** Bytes. */
  readonly size: number
  readonly executable: boolean
}

export interface FolderScan {
  readonly files: readonly LocalFile[]
  readonly others: readonly (ManifestFolder | ManifestSymlink)[]
}

const OWNER_MAY_EXECUTE = 0o100

/**
 * @throws FolderError `folder_invalid` if the path is a file, if the patterns leave out everything, or with everything that a manifest
 * cannot describe; the system's error if the folder cannot be read.
 */
export async function scanFolder(folder: string, options: ScanOptions): Promise<FolderScan> {
  const include = (options.include ?? []).map(pathPattern)
  const exclude = (options.exclude ?? []).map(pathPattern)
  const files: LocalFile[] = []
  const others: (ManifestFolder | ManifestSymlink)[] = []
  const faults: string[] = []

  async function scan(location: string, prefix: string): Promise<void> {
    const items = await names(location)
    for (const { item, isValid } of items) {
      const path = `${prefix}${item.name}`
      if (matches(path, exclude)) continue
      if (include.length > 0 && !item.isDirectory() && !matches(path, include)) continue
      const fault = isValid ? pathFault(path) : `${JSON.stringify(path)} is not valid UTF-8`
      if (fault !== undefined) faults.push(fault)
      else await add(item, join(location, item.name), path)
    }
    if (items.length === 0 && prefix !== '' && include.length === 0)
      others.push({ type: 'folder', path: prefix.slice(0, -1) })
  }

  async function add(item: Dirent, location: string, path: string): Promise<void> {
    if (item.isDirectory()) return await scan(location, `${path}/`)
    if (item.isSymbolicLink()) {
      const target = await readlink(location)
      const fault = targetFault(path, target)
      if (fault !== undefined) faults.push(fault)
      others.push({ type: 'symlink', path, target })
      return
    }
    if (!item.isFile()) {
      faults.push(`${JSON.stringify(path)} is not a file, a folder or a symlink`)
      return
    }
    const { size, mode }: Stats = await stat(location)
    files.push({ path, location, size, executable: (mode & OWNER_MAY_EXECUTE) !== 0 })
  }

  if (!(await stat(folder)).isDirectory())
    throw new FolderError(
      'folder_invalid',
      `${JSON.stringify(folder)} is a file`,
      'Store it as a file: bucket put.',
    )
  await scan(folder, '')
  // A mistyped pattern would store an empty folder permanently.
  if (include.length + exclude.length > 0 && files.length + others.length + faults.length === 0)
    throw new FolderError(
      'folder_invalid',
      `the patterns leave out everything in ${JSON.stringify(folder)}`,
      'Check the patterns of --include and --exclude. A * also matches /.',
    )
  if (faults.length === 0) return { files, others }
  const more = faults.length > 5 ? ` (and ${faults.length - 5} more)` : ''
  throw new FolderError(
    'folder_invalid',
    `${JSON.stringify(folder)} cannot be described: ${faults.slice(0, 5).join('; ')}${more}`,
    'Rename or remove these, or leave them out with --exclude.',
  )
}

/** Names are bytes for the system. Node replaces those that are not UTF-8 without notice, and the replaced name does not exist. */
async function names(folder: string): Promise<{ item: Dirent; isValid: boolean }[]> {
  const items = await readdir(folder, { withFileTypes: true })
  if (!items.some(({ name }) => name.includes('\ufffd')))
    return items.map((item) => ({ item, isValid: true }))
  const raw = new Set((await readdir(folder, { encoding: 'buffer' })).map((name) => name.toString('latin1')))
  return items.map((item) => ({ item, isValid: raw.has(Buffer.from(item.name).toString('latin1')) }))
}

const matches = (path: string, patterns: readonly RegExp[]): boolean => {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return patterns.some((regex) => regex.test(path) || regex.test(name))
}
