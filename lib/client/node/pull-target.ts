/** The target of a pull: what it holds before, whether that is the content already, and its replacement. */
import { readdir, readlink, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode } from '../../flow/error-code.ts'
import { runAtOnce } from '../../flow/run-at-once.ts'
import { FolderError } from '../folder/folder-error.ts'
import type { FolderManifest } from '../folder/manifest.ts'
import { aboutPath, hasBytesOf, ifThere } from './download-target.ts'
import { DEFAULT_PARALLEL } from './push.ts'

export type TargetContent = 'none' | 'empty' | 'filled'

interface CompareOptions {
  readonly parallel?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** @throws FolderError if no folder can be there; the system's error. */
export async function contentOf(path: string, shown: string): Promise<TargetContent> {
  const parent = await stat(dirname(path)).catch((error) => {
    throw aboutPath(error, shown)
  })
  if (!parent.isDirectory())
    throw new FolderError(
      'target_invalid',
      `${JSON.stringify(dirname(path))} is not a folder`,
      'Name another path.',
    )
  const found = await stat(path).catch(() => undefined)
  if (!found) return 'none'
  if (!found.isDirectory())
    throw new FolderError(
      'target_invalid',
      `${JSON.stringify(shown)} is not a folder`,
      'Name a folder, or a path that does not exist yet.',
    )
  const names = await ifThere(readdir(path))
  if (!names) return 'none'
  return names.length === 0 ? 'empty' : 'filled'
}

/**
 * A replaced folder is moved away first, because no system renames over a non-empty folder.
 *
 * @returns false if another program has filled the folder since `existing` was found.
 */
export async function replaceFolder(
  path: string,
  tree: string,
  staging: string,
  existing: TargetContent,
): Promise<boolean> {
  if (existing !== 'filled') return await renameToFree(tree, path)
  const old = join(staging, 'old')
  const isMoved = await renameOver(path, old)
  try {
    return await renameToFree(tree, path)
  } catch (error) {
    if (isMoved) await rename(old, path)
    throw error
  }
}

/** Renames a folder, and removes a folder that has the name. @returns false if there is nothing to rename. */
export async function renameOver(from: string, to: string): Promise<boolean> {
  try {
    do await rm(to, { recursive: true, force: true })
    while (!(await renameToFree(from, to)))
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

/** @returns false if a folder with content has the name. */
const renameToFree = (from: string, to: string): Promise<boolean> =>
  rename(from, to).then(
    () => true,
    (error: unknown) => {
      if (FILLED.has(errorCode(error))) return false
      throw error
    },
  )

/** Either is allowed by POSIX for a rename over a folder with content. */
const FILLED: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'EEXIST'])

/** Whether a folder is exactly what the manifest describes. A folder that is moved away meanwhile is not. */
export const isComplete = async (
  folder: string,
  manifest: FolderManifest,
  options: CompareOptions,
): Promise<boolean> => (await ifThere(compare(folder, manifest, options))) ?? false

async function compare(
  folder: string,
  { entries }: FolderManifest,
  { parallel = DEFAULT_PARALLEL, signal }: CompareOptions,
): Promise<boolean> {
  const expected = new Map(entries.map((entry) => [entry.path, entry]))
  const parents = new Set(entries.flatMap(({ path }) => foldersOf(path)))
  const seen = new Set<string>()
  for (const item of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const location = join(item.parentPath, item.name)
    const path = location.slice(folder.length + 1).replaceAll('\\', '/')
    const entry = expected.get(path)
    if (item.isDirectory() && (parents.has(path) || entry?.type === 'folder')) {
      if (entry) seen.add(path)
      continue
    }
    if (!entry || !(await isSame(location, entry, item))) return false
    seen.add(path)
  }
  if (seen.size !== expected.size) return false
  let isSameBytes = true
  const files = entries.filter((entry) => entry.type === 'file')
  await runAtOnce(files, { limit: parallel }, signal, async ({ path, size, digest }, stop) => {
    const file = join(folder, path)
    const target = { path, file, existing: { size, mode: 0 } }
    if (isSameBytes && !(await hasBytesOf(target, { digest, size }, { signal: stop }))) isSameBytes = false
  })
  return isSameBytes
}

const foldersOf = (path: string): string[] => {
  const segments = path.split('/').slice(0, -1)
  return segments.map((_, at) => segments.slice(0, at + 1).join('/'))
}

async function isSame(
  location: string,
  entry: FolderManifest['entries'][number],
  item: { isFile(): boolean; isSymbolicLink(): boolean; isDirectory(): boolean },
): Promise<boolean> {
  switch (entry.type) {
    case 'folder':
      return item.isDirectory()
    case 'symlink':
      return item.isSymbolicLink() && (await readlink(location)) === entry.target
    case 'file': {
      if (!item.isFile()) return false
      const { size, mode } = await stat(location)
      return size === entry.size && ((mode & 0o100) !== 0) === (entry.executable === true)
    }
  }
}
