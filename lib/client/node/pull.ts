/**
 * A manifest becomes a local folder. Files are fetched and verified into a hidden staging folder next to the target, which is renamed when
 * it is complete. A pull that ends early leaves the staging folder, and the next one continues it.
 */
import { chmod, copyFile, lstat, mkdir, open, readdir, realpath, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Digest, digestHex } from '../../domain/digest.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { MIB } from '../../domain/limits.ts'
import { runAtOnce } from '../../flow/run-at-once.ts'
import type { ApiClient } from '../api/api-client.ts'
import { getEntry } from '../api/entries.ts'
import { FolderError } from '../folder/folder-error.ts'
import {
  type FolderManifest,
  fileRef,
  MANIFEST_TYPE,
  MAX_MANIFEST_BYTES,
  type ManifestFile,
  parseManifest,
} from '../folder/manifest.ts'
import { openDownload } from '../transfer/download.ts'
import type { TransferOptions } from '../transfer/progress.ts'
import { claim, claimedPath, freePath, removeStale } from './claim.ts'
import { type DownloadOptions, downloadFile, syncFolder } from './download-file.ts'
import { hasBytesOf } from './download-target.ts'
import { checkNames } from './name-check.ts'
import type { KeptPartial } from './partial-file.ts'
import { contentOf, isComplete, renameOver, replaceFolder, type TargetContent } from './pull-target.ts'
import { DEFAULT_PARALLEL } from './push.ts'

export interface PullOptions extends TransferOptions {
  /** What the manifest must be, `sha256:…`. */
  readonly digest?: string | undefined
  /** Replaces a folder that has other content. */
  readonly force?: boolean | undefined
  /** Concurrent files; 8 by default. */
  readonly parallel?: number | undefined
  /** Called with the staging folder of a pull that fails or is aborted. */
  readonly onKept?: ((kept: KeptPartial) => void) | undefined
}

export interface PullResult {
  readonly path: string
  readonly ref: ArtifactRef
  /** Of the manifest. */
  readonly digest: Digest
  readonly manifest: FolderManifest
  /** Bytes of all files. */
  readonly size: number
  /** Bytes that were fetched; 0 if the folder was there already. */
  readonly fetched: number
}

const SUFFIX = '.bucket-folder'
/** Files of at most this size are held in memory until they are verified. */
const SMALL_BYTES = MIB

/** @throws FolderError; what a download throws; the system's error. */
export async function pull(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  target: string,
  options: PullOptions,
): Promise<PullResult> {
  // A symlink means the folder to which it leads.
  const path = await realpath(target).catch(() => resolve(target))
  // Before anything is fetched: whether there can be a folder.
  await contentOf(path, target)
  const { manifest, digest } = await fetchManifest(api, ref, expected, options)
  const files = manifest.entries.filter((entry) => entry.type === 'file')
  const size = files.reduce((sum, file) => sum + file.size, 0)
  const result = { path: target, ref, digest, manifest, size }
  const look = async (): Promise<TargetContent | 'complete'> => {
    const content = await contentOf(path, target)
    if (content !== 'filled') return content
    if (await isComplete(path, manifest, options)) return 'complete'
    if (options.force) return content
    throw new FolderError(
      'target_exists',
      `${JSON.stringify(target)} is not empty and differs from ${formatRef(ref)}`,
      'Choose another folder, or replace the whole folder with force.',
    )
  }
  let found = await look()
  if (found === 'complete') return { ...result, fetched: 0 }
  const parent = dirname(path)
  const staging = await takeStaging(parent, digestHex(digest))
  let isPublished = false
  const kept = { bytes: 0 }
  try {
    const tree = join(staging, 'tree')
    await checkNames(manifest, staging)
    await removeOthers(tree, manifest)
    const fetched = await fetchFiles(api, ref, files, staging, kept, size, options)
    await finish(manifest, tree)
    // Another pull may fill the folder while this one fetches.
    while (found !== 'complete' && !(await replaceFolder(path, tree, staging, found))) found = await look()
    isPublished = true
    await syncFolder(parent)
    return { ...result, fetched }
  } finally {
    if (isPublished || kept.bytes === 0) await rm(staging, { recursive: true, force: true })
    else {
      const free = freePath(parent, digestHex(digest), SUFFIX)
      await renameOver(staging, free)
      options.onKept?.({ path: free, bytes: kept.bytes, total: size })
    }
    await removeStale(parent, SUFFIX)
  }
}

async function fetchManifest(
  api: ApiClient,
  ref: ArtifactRef,
  expected: Digest | undefined,
  { signal }: PullOptions,
): Promise<{ manifest: FolderManifest; digest: Digest }> {
  const download = await openDownload(api, ref, expected, { signal })
  const { digest, size } = download
  try {
    if (size > MAX_MANIFEST_BYTES)
      throw new FolderError(
        'manifest_invalid',
        `${formatRef(ref)} has ${size} bytes, a folder manifest at most ${MAX_MANIFEST_BYTES}`,
        'Fetch it as a file: bucket get.',
      )
    const chunks: Uint8Array[] = []
    for await (const chunk of download.bytes) chunks.push(chunk)
    return { manifest: parseManifest(Buffer.concat(chunks)), digest }
  } catch (error) {
    if (!(error instanceof FolderError)) throw error
    // An artifact of another type was probably never meant as a manifest, so its first fault says little.
    const { contentType } = await getEntry(api, ref, signal)
    if (contentType === MANIFEST_TYPE) throw error
    throw new FolderError(
      'manifest_invalid',
      `${formatRef(ref)} is not a folder: its type is ${contentType}, and a folder's manifest has the type ${MANIFEST_TYPE}`,
      'Fetch it as a file: bucket get.',
    )
  } finally {
    await download.close()
  }
}

async function takeStaging(parent: string, hex: string): Promise<string> {
  const found = await claim(parent, hex, SUFFIX)
  const staging = found ?? claimedPath(parent, hex, SUFFIX)
  for (const folder of [staging, join(staging, 'tree'), join(staging, 'parts')])
    await mkdir(folder, { recursive: true })
  return staging
}

/** Removes files that this manifest does not name from the staging folder of an earlier run. */
async function removeOthers(tree: string, { entries }: FolderManifest): Promise<void> {
  const files = new Set(entries.flatMap(({ type, path }) => (type === 'file' ? [path] : [])))
  for (const item of await readdir(tree, { withFileTypes: true, recursive: true })) {
    const location = join(item.parentPath, item.name)
    const path = location.slice(tree.length + 1).replaceAll('\\', '/')
    if (item.isDirectory() || (item.isFile() && files.has(path))) continue
    await rm(location, { force: true, recursive: true })
  }
}

async function fetchFiles(
  api: ApiClient,
  ref: ArtifactRef,
  files: readonly ManifestFile[],
  staging: string,
  kept: { bytes: number },
  total: number,
  { parallel = DEFAULT_PARALLEL, onProgress, signal }: PullOptions,
): Promise<number> {
  const tree = join(staging, 'tree')
  const underWay = new Map<string, number>()
  let doneFiles = 0
  let fetched = 0
  const report = () => {
    const bytes = [...underWay.values()].reduce((sum, count) => sum + count, kept.bytes)
    onProgress?.({ phase: 'downloading', bytes, total, files: { done: doneFiles, total: files.length } })
  }
  await makeFolders(tree, files)
  const sameBytes = new Map<Digest, ManifestFile[]>()
  for (const file of files) sameBytes.set(file.digest, [...(sameBytes.get(file.digest) ?? []), file])
  report()
  await runAtOnce(sameBytes.values(), { limit: parallel }, signal, async ([first, ...copies], stop) => {
    if (first === undefined) return
    const location = join(tree, first.path)
    const progress = (bytes: number) => {
      underWay.set(first.path, bytes)
      report()
    }
    const isFetched = await fetchFile(api, ref, first, location, {
      partialFolder: join(staging, 'parts'),
      onProgress: ({ bytes }) => progress(bytes),
      onKept: ({ bytes }) => {
        kept.bytes += bytes
      },
      signal: stop,
    })
    if (isFetched) fetched += first.size
    for (const { path } of copies) await copyFile(location, join(tree, path))
    for (const { path, executable } of [first, ...copies])
      if (executable) await makeExecutable(join(tree, path))
    underWay.delete(first.path)
    kept.bytes += first.size * (copies.length + 1)
    doneFiles += copies.length + 1
    report()
  })
  return fetched
}

/** @returns false if an earlier run had fetched it. @throws FolderError when the store has another size. */
async function fetchFile(
  api: ApiClient,
  ref: ArtifactRef,
  file: ManifestFile,
  location: string,
  options: DownloadOptions,
): Promise<boolean> {
  const { size, digest, path } = file
  const source = fileRef(ref, file)
  const found = await lstat(location).catch(() => undefined)
  const existing = found?.isFile() ? { size: found.size, mode: found.mode } : undefined
  if (await hasBytesOf({ path, file: location, existing }, { digest, size }, { signal: options.signal }))
    return false
  await rm(location, { force: true, recursive: true })
  if (size > SMALL_BYTES) {
    const got = await downloadFile(api, source, digest, location, options)
    if (got.size !== size) throw otherSize(path, size, got.size)
    return true
  }
  const download = await openDownload(api, source, digest, options)
  try {
    if (download.size !== size) throw otherSize(path, size, download.size)
    const handle = await open(location, 'wx')
    try {
      for await (const chunk of download.bytes) await handle.writeFile(chunk)
      await handle.datasync()
    } finally {
      await handle.close()
    }
  } finally {
    await download.close()
  }
  return true
}

const otherSize = (path: string, expected: number, found: number) =>
  new FolderError(
    'manifest_invalid',
    `${JSON.stringify(path)} has ${found} bytes, the manifest says ${expected}`,
    'Tell the author of the manifest.',
  )

async function makeFolders(tree: string, files: readonly { readonly path: string }[]): Promise<void> {
  const folders = new Set(files.map(({ path }) => dirname(path)))
  for (const folder of folders) await mkdir(join(tree, folder), { recursive: true })
}

/** Every user who may read the file may execute it. */
async function makeExecutable(location: string): Promise<void> {
  const { mode } = await stat(location)
  await chmod(location, (mode & 0o777) | ((mode & 0o444) >> 2))
}

/** Empty folders, then symlinks: nothing is ever written through a symlink. */
async function finish({ entries }: FolderManifest, tree: string): Promise<void> {
  const others = entries.filter(({ type }) => type !== 'file')
  await makeFolders(tree, others)
  for (const { type, path } of others)
    if (type === 'folder') await mkdir(join(tree, path), { recursive: true })
  for (const entry of others)
    if (entry.type === 'symlink') await symlink(entry.target, join(tree, entry.path))
  const folders = new Set(entries.map(({ path }) => dirname(path)))
  for (const folder of ['.', ...folders]) await syncFolder(join(tree, folder))
}
